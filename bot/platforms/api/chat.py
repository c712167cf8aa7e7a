"""`POST /v1/chat/completions`, as a stream and in one piece."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from aiohttp import web

from bot.core.bounds.fair_gate import FairGate
from bot.core.completions.asked import AskedCompletion
from bot.core.completions.completions import Completions
from bot.platforms.api.bodies import read_body
from bot.platforms.api.errors import (
    HEADERS,
    ApiRefusal,
    api_refusal_of,
    error_json,
    locale_of,
)
from bot.platforms.api.fetching import Fetching
from bot.platforms.api.gate import KEY_NAME
from bot.platforms.api.keys import user_of
from bot.platforms.api.messages import Link, asked_messages, links_of, parse_messages
from bot.platforms.api.models import Models
from bot.platforms.api.options import LEAST_TOP_P, Options, parse_options
from bot.platforms.api.quotas import Quotas
from bot.platforms.api.shapes import DONE, Shapes, as_sse, new_id
from bot.values.presence import Presence
from inference.about import about
from inference.errors import safe_traceback
from inference.types import Finished, GenerationEvent, TextDelta

log = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 15
BODIES_AT_ONCE: Final = 8
BODIES_PER_KEY: Final = 2
"""Bodies that are read or parsed, and as many whose pictures are fetched.

A request keeps its pictures until it ends: memory is bounded by how many requests each key may have
at once (`Quotas`), and by `bodies.MAX_BYTES` and the bounds of `Fetching`.
"""


class ChatHandlers:
    """Handlers over the core."""

    def __init__(
        self,
        completions: Completions,
        *,
        models: Models,
        quotas: Quotas,
        fetching: Fetching,
        background: bool,
        presence: Presence,
    ) -> None:
        """`background`: never ahead of people's questions."""
        self._presence = presence
        self._completions = completions
        self._models = models
        self._quotas = quotas
        self._fetching = fetching
        self._background = background
        self._reading = FairGate(BODIES_AT_ONCE, per_user=BODIES_PER_KEY)
        self._waiting_for_links = FairGate(BODIES_AT_ONCE, per_user=BODIES_PER_KEY)

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [web.post("/v1/chat/completions", self._complete)]

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self._presence.event()
        completion_id = new_id()
        with about(completion_id):
            return await self._completed(request, completion_id)

    async def _completed(self, request: web.Request, completion_id: str) -> web.StreamResponse:
        async with self._quotas.admitted(request[KEY_NAME]):
            options, asked = await self._asked(request)
            shapes = Shapes(self._models.shown(options.model), completion_id)
            async with aclosing(self._completions.stream(asked)) as events:
                if options.stream:
                    return await _stream(request, events, shapes, options)
                return await _in_one_piece(events, shapes)

    async def _asked(self, request: web.Request) -> tuple[Options, AskedCompletion]:
        """Read a request. Raises: ApiRefusal."""
        user = user_of(request[KEY_NAME])
        async with self._reading.turn(user):
            body = await read_body(request)
            options = parse_options(body.json)
            name, model = self._models.find(options.model)
            messages = await asyncio.to_thread(parse_messages, body)
        fetched: dict[Link, bytes] = {}
        if links := links_of(messages):
            # Not in a slot of those above: a slow host holds up nobody who brings pictures along.
            async with self._waiting_for_links.turn(user):
                fetched = await self._fetching.fetch(links, most=model.max_pictures)
        return options, AskedCompletion(
            user=user,
            model=name,
            messages=asked_messages(messages, fetched),
            temperature=options.temperature,
            top_p=None if options.top_p is None else max(options.top_p, LEAST_TOP_P),
            top_k=None if options.top_k is None else max(options.top_k, 0),
            max_new_tokens=options.max_new_tokens,
            seed=None if options.seed is None else options.seed % 2**31,
            stop=tuple(options.stop or ()),
            background=self._background,
        )


async def _in_one_piece(
    events: AsyncGenerator[GenerationEvent, None], shapes: Shapes
) -> web.Response:
    text: list[str] = []
    async for event in events:
        match event:
            case TextDelta(piece):
                text.append(piece)
            case Finished():
                body = shapes.whole("".join(text), event)
                return web.json_response(body, headers={**HEADERS, "X-Request-Id": shapes.id})
    raise ApiRefusal(500, "something_broke")


async def _stream(
    request: web.Request,
    events: AsyncGenerator[GenerationEvent, None],
    shapes: Shapes,
    options: Options,
) -> web.StreamResponse:
    """Send the answer as it is generated.

    The response begins with the engine's first event: what is refused before it has a status.
    """
    event = await anext(events)
    async with _begun(request, shapes) as response:
        try:
            await response.write(as_sse(shapes.piece({"role": "assistant", "content": ""})))
            while not isinstance(event, Finished):
                if isinstance(event, TextDelta):
                    await response.write(as_sse(shapes.piece({"content": event.text})))
                event = await anext(events)
            await response.write(as_sse(shapes.piece({}, event)))
            if options.includes_usage:
                await response.write(as_sse(shapes.usage_piece(event)))
            await response.write(DONE)
        except ConnectionError:
            pass  # the client has left
        except Exception as exc:  # noqa: BLE001 - once begun, a stream can only report it in an event
            refusal = api_refusal_of(exc)
            if refusal.key == "something_broke":
                log.error("a stream failed: %s", safe_traceback(exc))
            await response.write(as_sse(error_json(refusal, locale_of(request))))
    return response


@asynccontextmanager
async def _begun(request: web.Request, shapes: Shapes) -> AsyncIterator[web.StreamResponse]:
    """A stream that says now and then that it lives, for proxies and clients that give up."""
    response = web.StreamResponse(
        headers={
            **HEADERS,
            "Content-Type": "text/event-stream; charset=utf-8",
            "X-Accel-Buffering": "no",
            "X-Request-Id": shapes.id,
        }
    )
    await response.prepare(request)

    async def keep_alive() -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            await response.write(b": keep-alive\n\n")

    living = asyncio.create_task(keep_alive(), name="keep-stream-alive")
    try:
        yield response
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
