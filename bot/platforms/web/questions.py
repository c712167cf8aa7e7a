"""Requests that ask, ask again, stop, and follow an answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

from aiohttp import web

from bot.core.titles import Titles
from bot.core.turns import asked_again
from bot.errors import Busy, UserFacingError
from bot.platforms.listening.senders import Senders
from bot.platforms.platform import Core
from bot.platforms.web.access import Access, ThreadAccess
from bot.platforms.web.bodies import json_object
from bot.platforms.web.changes import Changes
from bot.platforms.web.exchange import Event, PlaygroundExchange
from bot.platforms.web.guard import HttpRefusal, locale_of, refusal
from bot.platforms.web.keys import message_key
from bot.platforms.web.people import LOCAL, name_of
from bot.platforms.web.retries import keeps_pictures
from bot.platforms.web.streams import stream
from bot.platforms.web.uploads import MAX_TEXT_BYTES, Uploads
from bot.store import Store, StoreFailed
from bot.texts import say
from bot.values.messages import Author, IncomingMessage, ThreadKey
from bot.values.presence import Presence

MAX_EDIT_BYTES = 6 * MAX_TEXT_BYTES + 100
"""Of a JSON body, in which each character may take six."""


class QuestionHandlers:
    """Handlers over the core. Holds the exchange of each question in flight."""

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        uploads: Uploads,
        access: ThreadAccess,
        changes: Changes,
        senders: Senders,
        presence: Presence,
    ) -> None:
        self._core = core
        self._presence = presence
        self._senders = senders
        self._changes = changes
        self._titles = Titles(store)
        self._store = store
        self._access = access
        self._uploads = uploads
        self._exchanges: dict[str, PlaygroundExchange] = {}
        self._discarding: set[asyncio.Future[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.post("/api/threads/{thread}/messages", self._ask),
            web.put("/api/threads/{thread}/messages/{message}", self._edit),
            web.post("/api/threads/{thread}/again", self._ask_again),
            web.post("/api/threads/{thread}/stop", self._stop),
            web.get("/api/threads/{thread}/events", self._events),
        ]

    def resume(self, message: IncomingMessage) -> None:
        """Answer a question of an earlier run; the page finds the reply by its thread."""
        exchange = self._register(self._exchange(message))
        self._watch(self._core.resume(message, exchange), message, exchange)

    @property
    def in_flight(self) -> set[str]:
        """The ids of the questions in flight."""
        return set(self._exchanges)

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        access = await self._access.to_ask(request)
        message_id = uuid.uuid4().hex
        form = await self._uploads.receive(
            request, message_id, sender=self._senders.of(request), person=access.person.id
        )
        try:
            access = await self._access.to_ask(request)  # deleted during the upload, for example
            name = await name_of(self._store, access.person)
        except UserFacingError:
            await self._uploads.discard(message_id)
            raise
        message = IncomingMessage(
            key=message_key(message_id),
            thread=access.thread,
            author=Author(id=access.person.id, name=name),
            text=form.text,
            attachments=form.attachments,
            locale=locale_of(request),
        )
        return await self._answer(request, message, access)

    async def _ask_again(self, request: web.Request) -> web.StreamResponse:
        access = await self._access.to_ask(request)
        last = await self._store.inbox.last_incoming(access.thread)
        if last is None:
            return refusal(request, 409, "http_nothing_to_repeat")
        if not (access.wrote(last.author.id) or self._access.everybody):
            return refusal(request, 403, "http_not_your_question")
        turn = await self._store.turn(last)
        if last.key.message in self._exchanges:
            return refusal(request, 409, "http_busy_thread")
        again = replace(
            asked_again(last, turn, can_fetch=False),
            locale=locale_of(request),
            author=last.author if access.person != LOCAL else Author(id=LOCAL.id),
            asked_by="" if access.wrote(last.author.id) else access.person.id,
        )
        return await self._answer(request, again, access)

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        """Answer the last question anew in other words, about the same pictures."""
        access = await self._access.to_ask(request)
        key = message_key(request.match_info["message"])
        latest = await self._core.latest(key)
        if latest is None or latest.thread != access.thread:
            raise HttpRefusal(404, "http_no_question")
        if not (access.wrote(latest.author.id) or self._access.everybody):
            raise HttpRefusal(403, "http_not_your_question")
        text = (await json_object(request, max_bytes=MAX_EDIT_BYTES)).get("text")
        if not isinstance(text, str) or len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            raise HttpRefusal(400, "http_bad")
        edited = replace(
            latest,
            text=text,
            locale=locale_of(request),
            edited_at=max(time.time(), latest.edited_at + 1e-3),
            again=False,
            keeps_pictures=True,
            asked_by="" if access.wrote(latest.author.id) else access.person.id,
        )
        exchange = self._exchange(edited)
        events = exchange.follow()
        try:
            task = await self._core.revise(edited, exchange)
        except Busy as exc:
            return web.json_response({"error": exc.sentence(edited.locale)}, status=503)
        if task is None:
            raise HttpRefusal(409, "http_not_last")
        self._register(exchange)  # the task has not begun: nothing ran since it was made
        self._watch(task, edited, exchange)
        return await self._stream(request, access, exchange, events)

    async def _answer(
        self, request: web.Request, message: IncomingMessage, access: Access
    ) -> web.StreamResponse:
        self._presence.event()
        exchange = self._register(self._exchange(message))
        events = exchange.follow()
        try:
            task = self._core.ask(message, exchange)
        except Busy as exc:
            await self._forget_exchange(exchange)
            return web.json_response({"error": exc.sentence(message.locale)}, status=503)
        self._watch(task, message, exchange)
        return await self._stream(request, access, exchange, events)

    async def _stop(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        exchange = self._first_of(access.thread, None if access.can_manage else access)
        if exchange is not None:
            await self._core.stop(exchange.message.key)
        elif self._store.lease.is_shared:  # another process may be answering
            for message in await self._store.inbox.unfinished_of(access.thread):
                if access.can_manage or access.wrote(message.author.id):
                    await self._core.stop(message.key)
                    break
        return web.Response(status=204)

    def _first_of(
        self, thread: ThreadKey, asked_by: Access | None = None
    ) -> PlaygroundExchange | None:
        """The thread's first question whose reply has not ended, of anybody or of one person.

        The core may still be writing down the end of one before it.
        """
        of_thread = (
            exchange for exchange in self._exchanges.values() if exchange.message.thread == thread
        )
        return next(
            (
                exchange
                for exchange in of_thread
                if asked_by is None or asked_by.wrote(exchange.message.author.id)
            ),
            None,
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        access = await self._access.of(request)
        exchange = self._first_of(access.thread)
        if exchange is None:
            return web.Response(status=204)
        return await self._stream(request, access, exchange, exchange.follow())

    async def _stream(
        self,
        request: web.Request,
        access: Access,
        exchange: PlaygroundExchange,
        events: AsyncIterator[Event],
    ) -> web.StreamResponse:
        with self._access.watched(access) as revoked:
            if access.is_guest:
                await self._access.of(request)  # taken back before it was watched
            return await stream(request, exchange, events, revoked)

    def _exchange(self, message: IncomingMessage) -> PlaygroundExchange:
        exchange = PlaygroundExchange(
            message,
            keeps_pictures=lambda: self._keeps_pictures(message),
            before_end=lambda ending: self._titles.update(message, ending),
            on_change=lambda: self._changes.announce(message.thread),
            on_end=lambda: self._forget_exchange(exchange),
        )
        return exchange

    def _register(self, exchange: PlaygroundExchange) -> PlaygroundExchange:
        """From now on pages find it; an earlier version of its question is no longer found."""
        self._exchanges[exchange.message.key.message] = exchange
        return exchange

    def _watch(
        self, task: asyncio.Task[bool], message: IncomingMessage, exchange: PlaygroundExchange
    ) -> None:
        """End the stream however the task ends, even if the reply never did."""

        def ended(task: asyncio.Task[bool]) -> None:
            def close(key: str, http_status: int, *, resumes: bool = False) -> None:
                sentence = say(message.locale, key)
                exchange.close(sentence, http_status=http_status, resumes=resumes)

            is_superseded = self._exchanges.get(message.key.message, exchange) is not exchange
            if is_superseded:  # by an edit, which pages follow from now on
                close("question_edited", 409, resumes=True)
            elif task.cancelled():
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
        try:
            return keeps_pictures(message, await self._store.turn(message))
        except StoreFailed:
            return keeps_pictures(message, None)

    async def _forget_exchange(self, exchange: PlaygroundExchange) -> None:
        message_id = exchange.message.key.message
        if self._exchanges.get(message_id) is exchange:
            del self._exchanges[message_id]
        await self._uploads.discard(message_id)
