"""Finds out what a model's servers have, waits for them, and makes the engine."""

from __future__ import annotations

import asyncio
import logging
import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256

import aiohttp

from inference.errors import (
    InferenceError,
    ModelUnavailable,
    ServerFailed,
    TooManyPictures,
    Trouble,
)
from inference.names import RemoteName, parse_remote
from inference.progress import LoadProgress, Phase, Progress
from inference.remote.counting import PromptCounter
from inference.remote.engine import RemoteEngine
from inference.remote.messages import body_of
from inference.remote.options import ServerOptions
from inference.remote.refusals import Overloaded
from inference.remote.server import ServedModel, Server
from inference.remote.servers import Servers
from inference.remote.waiting import WaitingRoom
from inference.spelling import nearest
from inference.types import (
    GenerationRequest,
    Message,
    ModelInfo,
    ModelSpec,
    Picture,
    Role,
    Sampling,
)

log = logging.getLogger(__name__)

CONTEXT_TOKENS = 4096
"""Where neither the server nor CONTEXT_TOKENS says; Ollama's own default."""
MOST_CONTEXT_TOKENS = 16_384
"""A chat thread needs no more, and servers promise a million."""
MAX_PICTURES = 4
"""Where MAX_PICTURES does not say; a server that takes fewer is asked for its limit."""
PROBE_PX = (1024, 768)
"""A picture of a usual size: what it takes tells what others take."""
MAX_NAMED = 6
"""Models that a sentence lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a server has said of itself."""

    model: ServedModel
    max_pictures: int
    """As many as it may be asked for, and takes."""
    probe: tuple[int, int] | None = None
    """Pictures of `PROBE_PX`, and the tokens of a prompt with them and a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """Implements `inference.serving.starting.Connection`: a model that servers run.

    `patience_s`: how long to wait for a server that is down; `None`: as long as it takes.
    """

    spec: ModelSpec
    options: ServerOptions = field(default_factory=ServerOptions)
    patience_s: float | None = None

    @asynccontextmanager
    async def running(self, progress: Progress, *, max_waiting: int) -> AsyncIterator[RemoteEngine]:
        """The engine, once a server has the model. Raises: ModelUnavailable."""
        name = parse_remote(self.spec.name)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(session_of(self.options))
            room: WaitingRoom | None = None
            servers = Servers(
                [Server(address, session, self.options) for address in name.addresses],
                self.options,
                on_change=lambda: None if room is None else room.update(),
            )
            found = narrowest(await self._find(servers, name, progress))
            servers.model = found.model.id
            room = WaitingRoom(lambda: servers.capacity, max_waiting=max_waiting)
            counter = PromptCounter(servers, found.model.id)
            if found.probe is not None:
                num_pictures, tokens = found.probe
                await counter.learn(probe_messages(num_pictures), tokens)
            watching = asyncio.create_task(servers.watch(), name="watch-model-servers")
            try:
                log.info(
                    "%s is served by %s at %s",
                    found.model.id,
                    kinds_of(servers.well),
                    ", ".join(server.address for server in servers.well),
                )
                yield RemoteEngine(
                    servers,
                    room,
                    model=replace(
                        model_info(self.spec, found), device=_device_of(servers.well, servers.all)
                    ),
                    options=self.options,
                    counter=counter,
                    thinking=self.spec.thinking,
                )
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _find(self, servers: Servers, name: RemoteName, progress: Progress) -> list[Found]:
        """Ask every server until one has the model. Raises: ModelUnavailable.

        Returns: what each has said that has it.
        """
        loop = asyncio.get_running_loop()
        ends_at = None if self.patience_s is None else loop.time() + self.patience_s
        while True:
            progress.report(LoadProgress(phase=Phase.CONNECTING, what=name.model))
            answers = await asyncio.gather(*(self._ask(one, name) for one in servers.all))
            found = [answer for answer in answers if isinstance(answer, Found)]
            problems = [answer for answer in answers if isinstance(answer, ModelUnavailable)]
            for server, answer in zip(servers.all, answers, strict=True):
                if isinstance(answer, ServerFailed):
                    servers.is_away(server, answer)
                elif isinstance(answer, ModelUnavailable):
                    servers.is_away(server, ServerFailed(Trouble.MODEL))
                else:
                    server.served = answer.model
                    servers.answered(server)
            if found:
                return found
            if problems:
                raise problems[0]
            if ends_at is not None and loop.time() >= ends_at:
                where = " nor ".join(server.address for server in servers.all)
                raise ModelUnavailable(
                    f"The model's server cannot be reached at {where}: start it, or check MODEL."
                )
            pause_s = self.options.probe_every_s
            if ends_at is not None:
                pause_s = min(pause_s, max(ends_at - loop.time(), 0.1))
            await asyncio.sleep(pause_s)

    async def _ask(
        self, server: Server, name: RemoteName
    ) -> Found | ModelUnavailable | ServerFailed:
        try:
            return await find(server, name.model, self.options, self.spec.max_pictures)
        except (ModelUnavailable, ServerFailed) as exc:
            return exc


@asynccontextmanager
async def session_of(options: ServerOptions) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections to servers. No redirect is followed: it would take the key along."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_s),
        auto_decompress=True,
        trust_env=False,
    ) as session:
        yield session


async def find(
    server: Server, model: str, options: ServerOptions, max_pictures: int | None = None
) -> Found:
    """Look whether a server has a model that takes pictures.

    Raises:
        ModelUnavailable: it has no such model; the message is a sentence for the operator.
        ServerFailed: it is down, or has troubles of its own.
    """
    served = await _served(server, model, options)
    most = max_pictures or MAX_PICTURES
    # The largest number that it may be asked for, then what it has said, then one.
    for num_pictures in dict.fromkeys((most, 1)):
        try:
            tokens = await _probe(server, served, num_pictures, options)
        except TooManyPictures as exc:
            if exc.limit == 0:
                raise ModelUnavailable(
                    f"The model {served.id} at {server.address} takes no pictures: "
                    "name one that does in MODEL."
                ) from None
            most = min(most, exc.limit)
        else:
            if tokens is not None:
                return Found(model=served, max_pictures=most, probe=(num_pictures, tokens))
    return Found(model=served, max_pictures=most)


async def _served(server: Server, model: str, options: ServerOptions) -> ServedModel:
    at = server.address
    try:
        models = await server.models()
    except ServerFailed as exc:
        if exc.trouble is Trouble.KEY:
            raise ModelUnavailable(_about_key(server, options)) from None
        if exc.trouble is Trouble.MODEL:
            raise ModelUnavailable(_no_api(at)) from None
        raise
    if models is None:
        if not model:
            raise ModelUnavailable(_no_api(at))
        return ServedModel(id=model, is_listed=False)
    by_id = {one.id: one for one in models}
    if model in by_id:
        return by_id[model]
    if not model and len(models) == 1:
        return models[0]
    listed = ", ".join([*by_id][:MAX_NAMED]) or "none"
    if not model:
        raise ModelUnavailable(
            f"The server at {at} has several models ({listed}): name one in MODEL, behind a #."
            if models
            else f"The server at {at} has no model yet: load one there."
        )
    near = nearest(model, by_id)
    hint = f"It has {listed}." if near is None else f"Did you mean {near}?"
    raise ModelUnavailable(f"The server at {at} has no model '{model}'. {hint}")


def _no_api(address: str) -> str:
    hint = "" if address.endswith("/v1") else f" Its address may be {address}/v1."
    return f"There is no OpenAI-compatible API at {address}: check MODEL.{hint}"


async def _probe(
    server: Server, model: ServedModel, num_pictures: int, options: ServerOptions
) -> int | None:
    """Ask for one token about small pictures. Returns: the prompt's length, if it says.

    Raises: TooManyPictures, ModelUnavailable.
    """
    request = GenerationRequest(
        messages=probe_messages(num_pictures), sampling=Sampling(temperature=0, max_new_tokens=1)
    )
    body = await asyncio.to_thread(
        body_of,
        request,
        model=model.id,
        kind=model.kind,
        max_tokens=1,
        thinking=False,
        max_picture_bytes=options.max_picture_bytes,
    )
    tokens = None
    try:
        pieces = server.answer(body, num_pictures=num_pictures, context_tokens=0)
        async with asyncio.timeout(options.answer_s), aclosing(pieces):
            async for piece in pieces:
                tokens = piece.prompt_tokens or tokens
    except TooManyPictures:
        raise
    except (InferenceError, Overloaded, TimeoutError) as exc:
        if isinstance(exc, ServerFailed) and exc.trouble is Trouble.KEY:
            raise ModelUnavailable(_about_key(server, options)) from None
        if not model.is_listed and isinstance(exc, ServerFailed) and exc.trouble is Trouble.MODEL:
            # No list and no answer: there is no such API, or no such model.
            raise ModelUnavailable(_no_api(server.address)) from None
        return None  # it is busy, or its context is small
    return tokens


def _about_key(server: Server, options: ServerOptions) -> str:
    problem = "wants a key" if options.key_of(server.address) is None else "refuses the key"
    return (
        f"The model's server at {server.address} {problem}: set MODEL_SERVER_API_KEY to one that "
        "it accepts, or give it one of its own in MODEL_SERVER_KEYS."
    )


def narrowest(found: Sequence[Found]) -> Found:
    """What all servers of a model can do: a thread may move from any to any other."""
    contexts = [one.model.context_tokens for one in found if one.model.context_tokens is not None]
    return Found(
        model=replace(found[0].model, context_tokens=min(contexts, default=None)),
        max_pictures=min(one.max_pictures for one in found),
        probe=next((one.probe for one in found if one.probe is not None), None),
    )


def kinds_of(servers: Iterable[Server]) -> str:
    """The programs that run a model, each named once."""
    return " + ".join(dict.fromkeys(server.kind.name for server in servers))


def _device_of(well: Sequence[Server], servers: Sequence[Server]) -> str:
    kinds = kinds_of(well)
    return kinds if len(servers) == 1 else f"{len(servers)} × {kinds}"


def model_info(spec: ModelSpec, found: Found) -> ModelInfo:
    """What the bot learns about the model."""
    context = found.model.context_tokens or CONTEXT_TOKENS
    if spec.context_tokens is not None:
        context = min(spec.context_tokens, found.model.context_tokens or spec.context_tokens)
    else:
        context = min(context, MOST_CONTEXT_TOKENS)
    return ModelInfo(
        name=found.model.id,
        family="",
        context_tokens=context,
        max_pictures=found.max_pictures,
        sampling=Sampling(),
        device=found.model.kind.name,
        weights="",
        engine="remote",
    )


def probe_messages(num_pictures: int) -> tuple[Message, ...]:
    """A word, and pictures of one colour."""
    width, height = PROBE_PX
    data = _grey_png(width, height)
    picture = Picture(digest=sha256(data).hexdigest(), data=data, width_px=width, height_px=height)
    return (Message(role=Role.USER, text="Hi", pictures=(picture,) * num_pictures),)


def _grey_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (b"\0" + b"\x80" * (3 * width)) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )
