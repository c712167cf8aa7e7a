"""The playground's HTTP interface. Documented in docs/playground.md; stable."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.core.erasure import Erasure
from bot.core.model_limits import limitations, question_locale
from bot.errors import Busy
from bot.platforms.platform import Core, PlatformUnavailable
from bot.platforms.web.exchange import LAST, Event, WebExchange, failed
from bot.platforms.web.guard import HEADERS, failures_are_sentences, guard, locale_of, refusal
from bot.platforms.web.uploads import BadUpload, Uploads
from bot.store import Store, Turn
from bot.texts import catalogue, language_of, say
from bot.values.messages import Author, IncomingMessage, MessageKey, ThreadKey
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
TEAM, CHANNEL = "local", "playground"
KEEP_ALIVE_S = 15

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Playground:
    """Implements `bot.platforms.platform.Platform`."""

    name = "web"

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        erasure: Erasure,
        uploads: Uploads,
        host: str,
        port: int,
        password: str | None,
        pictures_per_question: int,
    ) -> None:
        self._core = core
        self._store = store
        self._erasure = erasure
        self._uploads = uploads
        self._host = host
        self._port = port
        self._pictures_per_question = pictures_per_question
        self._exchanges: dict[str, WebExchange] = {}
        self._discarding: set[asyncio.Future[None]] = set()
        self._samples: list[Path] = []
        self._password = password
        self._runner: web.AppRunner | None = None

    # -- life ---------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the page is, once started."""
        if self._runner is None:
            raise RuntimeError("the playground has not been started")
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def resume(self, message: IncomingMessage) -> None:
        """See `Platform.resume`: the page finds the reply by its thread."""
        exchange = self._exchange(message)
        self._watch(self._core.resume(message, exchange), message, exchange)

    async def start(self) -> None:
        """Listen. Raises: PlatformUnavailable."""
        await self._uploads.keep_only(set(self._exchanges))
        self._runner = await asyncio.to_thread(self._build)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as exc:
            is_port = exc.errno in {errno.EADDRINUSE, errno.EACCES}
            remedy = "PORT to a free port" if is_port else "HOST to an address of this machine"
            raise PlatformUnavailable(
                f"The playground cannot listen on {self._host}:{self._port} "
                f"({exc.strerror or type(exc).__name__}): set PLAYGROUND_{remedy}."
            ) from None

    async def stop_intake(self) -> None:
        """New questions are refused by the core from now on; running streams go on."""

    async def close(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _build(self) -> web.AppRunner:
        """Routes and files; it looks at the disk, so it runs in a thread."""
        self._samples = sorted((STATIC / "samples").glob("*.jpg"))
        app = web.Application(
            middlewares=[failures_are_sentences, guard(host=self._host, password=self._password)],
            client_max_size=self._uploads.max_total_bytes,
        )
        app.add_routes(
            [
                web.get("/", self._page),
                web.static("/static", STATIC),
                web.get("/api/info", self._info),
                web.get("/api/threads", self._list_threads),
                web.post("/api/threads", self._make_thread),
                web.get("/api/threads/{thread}", self._show_thread),
                web.delete("/api/threads/{thread}", self._delete_thread),
                web.post("/api/threads/{thread}/messages", self._ask),
                web.post("/api/threads/{thread}/again", self._ask_again),
                web.post("/api/threads/{thread}/stop", self._stop),
                web.get("/api/threads/{thread}/events", self._events),
                web.get("/api/threads/{thread}/pictures/{number}", self._picture),
            ]
        )
        return web.AppRunner(app, access_log=None, shutdown_timeout=1)

    # -- the page -----------------------------------------------------------------------------

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _info(self, request: web.Request) -> web.Response:
        locale = locale_of(request)
        model = self._core.model
        sentences = catalogue(language_of(locale))
        return web.json_response(
            {
                "model": {
                    "name": model.name,
                    "family": model.family,
                    "device": model.device,
                    "weights": model.weights,
                    "cannot": limitations(model, locale),
                },
                "limits": {
                    "pictures_per_question": self._pictures_per_question,
                    "upload_mb": self._uploads.max_total_bytes / 1e6,
                },
                "samples": [
                    {
                        "url": f"/static/samples/{file.name}",
                        "name": file.name,
                        "question": say(question_locale(model, locale), "default_question"),
                    }
                    for file in self._samples
                ],
                "texts": {k: v for k, v in sentences.items() if k.startswith("page_")},
                "language": language_of(locale),
            }
        )

    # -- threads ------------------------------------------------------------------------------

    async def _make_thread(self, _request: web.Request) -> web.Response:
        thread_id = uuid.uuid4().hex
        await self._store.make_thread(_thread_key(thread_id))
        return web.json_response({"thread_id": thread_id}, status=201)

    async def _list_threads(self, _request: web.Request) -> web.Response:
        threads = await self._store.list_threads(self.name, TEAM, CHANNEL)
        return web.json_response(
            {
                "threads": [
                    {
                        "thread_id": thread.thread,
                        "title": thread.title,
                        "updated_at": thread.touched_at.isoformat(),
                        "picture_url": None
                        if thread.first_picture_number is None
                        else _picture_url(thread.thread, thread.first_picture_number),
                    }
                    for thread in threads
                ]
            }
        )

    async def _show_thread(self, request: web.Request) -> web.Response:
        key = _thread_of(request)
        title = await self._store.title(key)
        if title is None:
            return refusal(request, 404, "http_no_thread")
        turns = await self._store.turns(key)
        return web.json_response(
            {
                "thread_id": key.thread,
                "title": title,
                "turns": [_turn_json(key.thread, turn) for turn in turns],
            }
        )

    async def _delete_thread(self, request: web.Request) -> web.Response:
        if not await self._erasure.thread(_thread_of(request)):
            return refusal(request, 404, "http_no_thread")
        return web.Response(status=204)

    async def _picture(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        found = None
        if number.isdecimal() and len(number) < 10:
            found = await self._store.picture_file(_thread_of(request), int(number))
        if found is None:
            return refusal(request, 404, "http_no_picture")
        # Asked for again each time, so that a deleted picture is gone; sent again only if changed.
        etag = f'"{found.digest}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        kind = {"png": "image/png", "jpg": "image/jpeg"}[found.suffix]
        return web.Response(body=found.data, content_type=kind, headers={"ETag": etag})

    # -- questions ----------------------------------------------------------------------------

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        thread = _thread_of(request)
        if await self._store.title(thread) is None:
            return refusal(request, 404, "http_no_thread")
        message_id = uuid.uuid4().hex
        try:
            form = await self._uploads.receive(request, message_id)
        except BadUpload as exc:
            return refusal(request, exc.status, exc.key, **exc.values)
        if await self._store.title(thread) is None:  # deleted while the upload came in
            await self._uploads.discard(message_id)
            return refusal(request, 404, "http_no_thread")
        message = IncomingMessage(
            key=_message_key(message_id),
            thread=thread,
            author=Author(id=f"{self.name}:{request.remote}"),
            text=form.text,
            attachments=form.attachments,
            locale=locale_of(request),
        )
        return await self._answer(request, message)

    async def _ask_again(self, request: web.Request) -> web.StreamResponse:
        thread = _thread_of(request)
        last = await self._store.inbox.last_incoming(thread)
        if last is None:
            return refusal(request, 409, "http_nothing_to_repeat")
        if last.key.message in self._exchanges:
            return refusal(request, 409, "http_busy_thread")
        again = replace(last, revision=last.revision + 1, again=True, locale=locale_of(request))
        return await self._answer(request, again)

    async def _answer(self, request: web.Request, message: IncomingMessage) -> web.StreamResponse:
        exchange = self._exchange(message)
        events = exchange.follow()
        try:
            task = self._core.ask(message, exchange)
        except Busy as exc:
            await self._forget_exchange(message.key.message)
            return web.json_response({"error": exc.sentence(message.locale)}, status=503)
        self._watch(task, message, exchange)
        return await self._stream(request, exchange, events)

    async def _stop(self, request: web.Request) -> web.Response:
        key = self._core.first_in_flight(_thread_of(request))
        if key is not None:
            self._core.stop(key)
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        key = self._core.first_in_flight(_thread_of(request))
        exchange = None if key is None else self._exchanges.get(key.message)
        if exchange is None:
            return web.Response(status=204)
        return await self._stream(request, exchange, exchange.follow())

    async def _stream(
        self, request: web.Request, exchange: WebExchange, events: AsyncIterator[Event]
    ) -> web.StreamResponse:
        """Send events until the last one; a page that goes away only stops following.

        The response begins with its first event, which comes after the claim: who has seen a 200
        knows that the question is written down.
        """
        event = await anext(events)
        if exchange.http_status is not None:
            error = {"error": event[1]["message"]}
            return web.json_response(error, status=exchange.http_status)
        response = web.StreamResponse(
            headers=HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        coming: asyncio.Future[Event] | None = None
        try:
            await response.write(_as_sse(event))
            while event[0] not in LAST:
                coming = coming or asyncio.ensure_future(anext(events))
                if not (await asyncio.wait({coming}, timeout=KEEP_ALIVE_S))[0]:
                    await response.write(b": keep-alive\n\n")
                    continue
                event, coming = coming.result(), None
                await response.write(_as_sse(event))
        except ConnectionResetError:
            pass
        except Exception as exc:  # noqa: BLE001 - begun, a stream can only say it in an event
            log.error("a stream failed: %s", safe_traceback(exc))
            await response.write(_as_sse(failed(say(locale_of(request), "something_broke"))))
        finally:
            if coming is not None:
                coming.cancel()
        return response

    # -- exchanges under way ------------------------------------------------------------------

    def _exchange(self, message: IncomingMessage) -> WebExchange:
        message_id = message.key.message
        exchange = WebExchange(message.key, lambda: self._forget_exchange(message_id))
        self._exchanges[message_id] = exchange
        return exchange

    def _watch(
        self, task: asyncio.Task[bool], message: IncomingMessage, exchange: WebExchange
    ) -> None:
        """End the stream however the task ends, also without an end of the reply."""

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
                # Not ours to answer: its thread is being forgotten. Its upload goes too.
                discarding = asyncio.ensure_future(self._uploads.discard(message.key.message))
                self._discarding.add(discarding)
                discarding.add_done_callback(self._discarding.discard)

        task.add_done_callback(ended)

    async def _forget_exchange(self, message_id: str) -> None:
        self._exchanges.pop(message_id, None)
        await self._uploads.discard(message_id)


def _thread_key(thread_id: str) -> ThreadKey:
    return ThreadKey(platform=Playground.name, team=TEAM, channel=CHANNEL, thread=thread_id)


def _thread_of(request: web.Request) -> ThreadKey:
    return _thread_key(request.match_info["thread"])


def _message_key(message_id: str) -> MessageKey:
    return MessageKey(platform=Playground.name, team=TEAM, channel=CHANNEL, message=message_id)


def _picture_url(thread_id: str, number: int) -> str:
    return f"/api/threads/{thread_id}/pictures/{number}"


def _turn_json(thread_id: str, turn: Turn) -> dict[str, Any]:
    return {
        "message_id": turn.message,
        "question": turn.question,
        "pictures": [
            {
                "number": picture.number,
                "name": picture.name,
                "url": _picture_url(thread_id, picture.number),
                "width": picture.width_px,
                "height": picture.height_px,
            }
            for picture in turn.pictures
        ],
        "state": turn.outcome or "pending",
        "answer": turn.answer,
        "receipt": turn.receipt.to_json(),
    }


def _as_sse(event: Event) -> bytes:
    name, data = event
    sent = f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
    return sent.encode("utf-8", "replace")
