"""Requests that ask, ask again, stop, and follow an answer."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

from aiohttp import web

from bot.core.turns import asked_again
from bot.errors import Busy
from bot.platforms.platform import Core
from bot.platforms.web.exchange import PlaygroundExchange
from bot.platforms.web.guard import locale_of, refusal
from bot.platforms.web.keys import PLATFORM, message_key
from bot.platforms.web.streams import stream
from bot.platforms.web.threads import thread_of
from bot.platforms.web.uploads import BadUpload, Uploads
from bot.store import Store, StoreFailed
from bot.texts import say
from bot.values.messages import Author, IncomingMessage


class QuestionHandlers:
    """Handlers over the core. Holds the exchange of each question in flight."""

    def __init__(self, *, core: Core, store: Store, uploads: Uploads) -> None:
        self._core = core
        self._store = store
        self._uploads = uploads
        self._exchanges: dict[str, PlaygroundExchange] = {}
        self._discarding: set[asyncio.Future[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.post("/api/threads/{thread}/messages", self._ask),
            web.post("/api/threads/{thread}/again", self._ask_again),
            web.post("/api/threads/{thread}/stop", self._stop),
            web.get("/api/threads/{thread}/events", self._events),
        ]

    def resume(self, message: IncomingMessage) -> None:
        """Answer a question of an earlier run; the page finds the reply by its thread."""
        exchange = self._exchange(message)
        self._watch(self._core.resume(message, exchange), message, exchange)

    @property
    def in_flight(self) -> set[str]:
        """The ids of the questions in flight."""
        return set(self._exchanges)

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        thread = thread_of(request)
        if await self._store.title(thread) is None:
            return refusal(request, 404, "http_no_thread")
        message_id = uuid.uuid4().hex
        try:
            form = await self._uploads.receive(request, message_id)
        except BadUpload as exc:
            return refusal(request, exc.status, exc.key, **exc.values)
        if await self._store.title(thread) is None:  # deleted during the upload
            await self._uploads.discard(message_id)
            return refusal(request, 404, "http_no_thread")
        message = IncomingMessage(
            key=message_key(message_id),
            thread=thread,
            author=Author(id=f"{PLATFORM}:{request.remote}"),
            text=form.text,
            attachments=form.attachments,
            locale=locale_of(request),
        )
        return await self._answer(request, message)

    async def _ask_again(self, request: web.Request) -> web.StreamResponse:
        thread = thread_of(request)
        last = await self._store.inbox.last_incoming(thread)
        if last is None:
            return refusal(request, 409, "http_nothing_to_repeat")
        turn = await self._store.turn(last)
        if last.key.message in self._exchanges:
            return refusal(request, 409, "http_busy_thread")
        again = asked_again(last, turn, can_fetch=False)
        return await self._answer(request, replace(again, locale=locale_of(request)))

    async def _answer(self, request: web.Request, message: IncomingMessage) -> web.StreamResponse:
        exchange = self._exchange(message)
        events = exchange.follow()
        try:
            task = self._core.ask(message, exchange)
        except Busy as exc:
            await self._forget_exchange(message.key.message)
            return web.json_response({"error": exc.sentence(message.locale)}, status=503)
        self._watch(task, message, exchange)
        return await stream(request, exchange, events)

    async def _stop(self, request: web.Request) -> web.Response:
        key = self._core.first_in_flight(thread_of(request))
        if key is not None:
            self._core.stop(key)
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        key = self._core.first_in_flight(thread_of(request))
        exchange = None if key is None else self._exchanges.get(key.message)
        if exchange is None:
            return web.Response(status=204)
        return await stream(request, exchange, exchange.follow())

    def _exchange(self, message: IncomingMessage) -> PlaygroundExchange:
        message_id = message.key.message
        exchange = PlaygroundExchange(
            message.key,
            keeps_pictures=lambda: self._keeps_pictures(message),
            on_end=lambda: self._forget_exchange(message_id),
        )
        self._exchanges[message_id] = exchange
        return exchange

    def _watch(
        self, task: asyncio.Task[bool], message: IncomingMessage, exchange: PlaygroundExchange
    ) -> None:
        """End the stream however the task ends, even if the reply never did."""

        def ended(task: asyncio.Task[bool]) -> None:
            def close(key: str, http_status: int, *, resumes: bool = False) -> None:
                sentence = say(message.locale, key)
                exchange.close(sentence, http_status=http_status, resumes=resumes)

            if task.cancelled():
                close("left_to_next_start", 503, resumes=True)
            elif task.exception() is None and not task.result():
                close("thread_forgotten", 404)
            else:
                close("something_broke", 500)
            if self._exchanges.get(message.key.message) is exchange:
                del self._exchanges[message.key.message]
            if not task.cancelled() and task.exception() is None and not task.result():
                # Its thread is being erased, so nothing answers it. Its upload goes, too.
                discarding = asyncio.ensure_future(self._uploads.discard(message.key.message))
                self._discarding.add(discarding)
                discarding.add_done_callback(self._discarding.discard)

        task.add_done_callback(ended)

    async def _keeps_pictures(self, message: IncomingMessage) -> bool:
        if message.again or not message.attachments:
            return True
        try:
            turn = await self._store.turn(message)
        except StoreFailed:
            return False
        return turn is not None and bool(turn.pictures)

    async def _forget_exchange(self, message_id: str) -> None:
        self._exchanges.pop(message_id, None)
        await self._uploads.discard(message_id)
