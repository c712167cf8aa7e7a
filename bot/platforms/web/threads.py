"""Requests about threads and their pictures: make, list, show, delete."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from bot.core.erasure import Erasure
from bot.platforms.web.guard import refusal
from bot.platforms.web.keys import CHANNEL, PLATFORM, TEAM, message_key, thread_key
from bot.store import Store, Turn
from bot.values.messages import ThreadKey


def thread_of(request: web.Request) -> ThreadKey:
    """The thread that a request names."""
    return thread_key(request.match_info["thread"])


class ThreadHandlers:
    """Handlers over the store."""

    def __init__(self, *, store: Store, erasure: Erasure) -> None:
        self._store = store
        self._erasure = erasure

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.get("/api/threads", self._list),
            web.post("/api/threads", self._make),
            web.get("/api/threads/{thread}", self._show),
            web.delete("/api/threads/{thread}", self._delete),
            web.get("/api/threads/{thread}/pictures/{number}", self._picture),
            web.delete("/api/threads/{thread}/messages/{message}", self._take_back),
        ]

    async def _make(self, _request: web.Request) -> web.Response:
        thread_id = uuid.uuid4().hex
        await self._store.make_thread(thread_key(thread_id))
        return web.json_response({"thread_id": thread_id}, status=201)

    async def _list(self, _request: web.Request) -> web.Response:
        threads = await self._store.list_threads(PLATFORM, TEAM, CHANNEL)
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

    async def _show(self, request: web.Request) -> web.Response:
        key = thread_of(request)
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

    async def _delete(self, request: web.Request) -> web.Response:
        if not await self._erasure.thread(thread_of(request)):
            return refusal(request, 404, "http_no_thread")
        return web.Response(status=204)

    async def _take_back(self, request: web.Request) -> web.Response:
        """Erase one question, as if it had never been asked."""
        key = message_key(request.match_info["message"])
        question = await self._store.inbox.latest(key)
        if question is None or question.thread != thread_of(request):
            return refusal(request, 404, "http_no_question")
        await self._erasure.question(key)
        return web.Response(status=204)

    async def _picture(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        found = None
        if number.isdecimal() and len(number) < 10:
            found = await self._store.picture_file(thread_of(request), int(number))
        if found is None:
            return refusal(request, 404, "http_no_picture")
        # Revalidated every time, so that a deleted picture is gone; resent only if it changed.
        etag = f'"{found.digest}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        kind = {"png": "image/png", "jpg": "image/jpeg"}[found.suffix]
        return web.Response(body=found.data, content_type=kind, headers={"ETag": etag})


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
