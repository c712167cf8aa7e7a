"""One server: what it is asked over HTTP, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from inference.errors import InferenceError, ServerFailed, Trouble
from inference.failures import in_one_line
from inference.remote.kinds import OTHER, Kind, kind_of
from inference.remote.options import ServerOptions
from inference.remote.refusals import MAX_BODY_BYTES, Overloaded, error_of
from inference.remote.sse import NotEvents, events_of

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4 << 20
"""Of anything but an answer: a list of models, a page of metrics."""

_WAITING = re.compile(
    r"^(?:vllm:num_requests_waiting|sglang:num_queue_reqs|llamacpp:requests_deferred)"
    r"(?:\{[^\n]*\})? ([0-9.e+]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model in a server's list."""

    id: str
    context_tokens: int | None = None
    kind: Kind = OTHER
    is_listed: bool = True
    """False: the server lists no models, and is asked for this one untold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one event of an answer adds."""

    text: str = field(default="", repr=False)
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    cached_tokens: int | None = None


class NotThere(ServerFailed):
    """It answers, and has nothing at that path."""


class Server:
    """An address, and whether it has answered lately."""

    def __init__(
        self, address: str, session: aiohttp.ClientSession, options: ServerOptions
    ) -> None:
        self.address = address
        self._root = address.removesuffix("/v1")
        self._session = session
        self._options = options
        key = options.key_of(address)
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.served: ServedModel | None = None
        """The model as this server has it; `None`: it has not said yet."""
        self.is_well = True
        """False from a failure until it answers again."""
        self.num_running = 0
        """Our requests there."""
        self._waiting: int | None = None
        self._waiting_at_s = 0.0
        self._asking = asyncio.Lock()
        self.tells_waiting = True
        """Whether it has metrics that say how many requests wait; known once it was asked."""

    def __repr__(self) -> str:
        return f"Server({self.address!r})"

    @property
    def kind(self) -> Kind:
        """Its program, as far as it is known."""
        return OTHER if self.served is None else self.served.kind

    async def models(self) -> list[ServedModel] | None:
        """What it serves; `None`: it has no such list, as some gateways. Raises: ServerFailed."""
        try:
            listed = await self._json("GET", f"{self.address}/models")
        except NotThere:
            return None
        models = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(models, list):
            raise ServerFailed(Trouble.MODEL, "no list of models")
        return [
            ServedModel(
                id=one["id"],
                context_tokens=_context_of(one),
                kind=kind_of(one.get("owned_by")),
            )
            for one in models
            if isinstance(one, dict) and isinstance(one.get("id"), str)
        ]

    async def num_tokens(self, model: str, messages: list[dict[str, Any]]) -> int | None:
        """Length of a conversation without its pictures; `None`: it does not say."""
        body = {"model": model, "messages": messages, "add_generation_prompt": True}
        try:
            told = await self._json("POST", f"{self._root}/tokenize", body)
        except ServerFailed:
            return None
        count = told.get("count") if isinstance(told, dict) else None
        return count if isinstance(count, int) and count >= 0 else None

    async def num_waiting(self) -> int | None:
        """How many requests wait there, everybody's; `None`: it does not say."""
        async with self._asking:  # many ask at once, and one answer serves them all
            now = asyncio.get_running_loop().time()
            if self.tells_waiting and now - self._waiting_at_s >= self._options.figures_every_s:
                self._waiting = await self._read_waiting()
                self._waiting_at_s = now
            return self._waiting

    async def clear(self, path: str) -> None:
        """Have its cache emptied, if its operator allows that."""
        try:
            async with (
                asyncio.timeout(self._options.answer_s),
                self._session.post(
                    f"{self._root}{path}", headers=self._headers, allow_redirects=False
                ),
            ):
                pass
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            log.info("the server at %s empties no cache: %s", self.address, in_one_line(exc))

    async def answer(
        self, body: bytes, *, num_pictures: int, context_tokens: int
    ) -> AsyncGenerator[Piece, None]:
        """Stream an answer; the first piece, empty, says that the server has taken the request.

        Closing the generator closes the connection, upon which the server stops generating.

        Raises:
            Overloaded: it takes no more requests for now.
            ServerFailed: it is down, or breaks off.
            RequestRejected, GenerationFailed: it refuses this request.
        """
        self.num_running += 1
        try:
            async with aclosing(self._answer(body, num_pictures, context_tokens)) as pieces:
                async for piece in pieces:
                    yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise ServerFailed(Trouble.DOWN, in_one_line(exc)) from None
        finally:
            self.num_running -= 1

    async def _answer(
        self, body: bytes, num_pictures: int, context_tokens: int
    ) -> AsyncGenerator[Piece, None]:
        # No time-out stands around a yield: it would cut off the reader of the answer.
        async with asyncio.timeout(self._options.first_token_s):
            response = await self._session.post(
                f"{self.address}/chat/completions",
                data=body,
                headers={
                    **self._headers,
                    "Content-Type": "application/json",
                    "Accept": "text/event-stream",
                },
                allow_redirects=False,
            )
        try:
            if response.status != 200:
                raise await self._refusal(response, num_pictures, context_tokens)
            if response.content_type != "text/event-stream":
                raise ServerFailed(Trouble.BROKEN, "its answer is no stream of events")
            yield Piece()
            async with (
                aclosing(events_of(response.content.iter_any())) as events,
                aclosing(self._pieces(events)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
        finally:
            response.close()  # unread events and all: that is how the server learns of it

    async def _pieces(self, events: AsyncGenerator[str, None]) -> AsyncGenerator[Piece, None]:
        wait_s, has_ended = self._options.first_token_s, False
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    event = await anext(events, None)
            except NotEvents as exc:
                raise ServerFailed(Trouble.BROKEN, str(exc)) from None
            if event is None or event == "[DONE]":
                break
            piece = piece_of(event)
            has_ended = has_ended or piece.finish_reason is not None
            yield piece
            wait_s = self._options.between_s
        if not has_ended:
            raise ServerFailed(Trouble.CUT)

    async def _refusal(
        self, response: aiohttp.ClientResponse, num_pictures: int, context_tokens: int
    ) -> InferenceError | Overloaded:
        async with asyncio.timeout(self._options.answer_s):
            body = await response.content.read(MAX_BODY_BYTES)
        return error_of(
            response.status,
            body,
            num_pictures=num_pictures,
            context_tokens=context_tokens,
            retry_after=response.headers.get("Retry-After"),
        )

    async def _json(self, method: str, url: str, body: object = None) -> Any:
        """Raises: ServerFailed."""
        try:
            async with (
                asyncio.timeout(self._options.answer_s),
                self._session.request(
                    method, url, json=body, headers=self._headers, allow_redirects=False
                ) as response,
            ):
                if response.status != 200:
                    raise _as_trouble(response.status)
                content = await _at_most(response.content, MAX_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise ServerFailed(Trouble.DOWN, in_one_line(exc)) from None
        try:
            return await asyncio.to_thread(json.loads, content)
        except (ValueError, RecursionError):
            raise ServerFailed(Trouble.MODEL, "its answer is no JSON") from None

    async def _read_waiting(self) -> int | None:
        try:
            async with (
                asyncio.timeout(self._options.answer_s),
                self._session.get(
                    f"{self._root}/metrics", headers=self._headers, allow_redirects=False
                ) as response,
            ):
                if response.status != 200:
                    self.tells_waiting = False
                    return None
                page = await _at_most(response.content, MAX_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError, ServerFailed):
            return None
        found = _WAITING.findall(page.decode(errors="replace"))
        self.tells_waiting = bool(found)
        return sum(int(float(number)) for number in found) if found else None


def piece_of(event: str) -> Piece:
    """What an event says. Raises: ServerFailed: it is none of an answer."""
    try:
        data: Any = json.loads(event)
    except (ValueError, RecursionError):
        raise ServerFailed(Trouble.BROKEN, "an event is no JSON") from None
    if not isinstance(data, dict) or data.get("error") or data.get("object") == "error":
        raise ServerFailed(Trouble.CUT, "it reports an error")
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    delta = choice.get("delta") if isinstance(choice, dict) else None
    text = delta.get("content") if isinstance(delta, dict) else None
    reason = choice.get("finish_reason") if isinstance(choice, dict) else None
    if reason in {"abort", "error"}:
        raise ServerFailed(Trouble.CUT, "it gave the answer up")
    usage = _object(data.get("usage"))
    details = _object(usage.get("prompt_tokens_details"))
    return Piece(
        text=text if isinstance(text, str) else "",
        finish_reason=reason if isinstance(reason, str) else None,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        new_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _context_of(model: dict[str, Any]) -> int | None:
    """`max_model_len` (vLLM, SGLang), `context_length` or llama.cpp's `meta.n_ctx`."""
    meta = _object(model.get("meta"))
    for found in (model.get("max_model_len"), model.get("context_length"), meta.get("n_ctx")):
        if (tokens := _count(found)) is not None and tokens > 0:
            return tokens
    return None


def _as_trouble(status: int) -> ServerFailed:
    """Of what is asked besides generating."""
    if status in {401, 403}:
        return ServerFailed(Trouble.KEY, f"HTTP {status}")
    if status in {404, 405, 501}:
        return NotThere(Trouble.MODEL, f"HTTP {status}")
    if status >= 500 or status == 429:
        return ServerFailed(Trouble.BROKEN, f"HTTP {status}")
    return ServerFailed(Trouble.MODEL, f"HTTP {status}")


async def _at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Raises: ServerFailed: there is more."""
    data = bytearray()
    async for piece in content.iter_any():
        data += piece
        if len(data) > limit:
            raise ServerFailed(Trouble.BROKEN, f"it sends more than {limit} bytes")
    return bytes(data)
