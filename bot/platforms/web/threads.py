"""Requests about a thread and its pictures: make, show, rename, delete."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.core.erasure import Erasure
from bot.core.titles import MAX_TITLE, Titles
from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.bodies import json_object
from bot.platforms.web.changes import Changes
from bot.platforms.web.guard import HttpRefusal, locale_of, refusal
from bot.platforms.web.keys import message_key, thread_key
from bot.platforms.web.people import person_of
from bot.platforms.web.retries import keeps_pictures
from bot.platforms.web.sharing import share_json
from bot.store import Store, Turn
from bot.texts import say
from bot.values.cleaning import clean_name
from bot.values.messages import Outcome


class ThreadHandlers:
    """Handlers over the store."""

    def __init__(
        self, *, store: Store, erasure: Erasure, access: ThreadAccess, changes: Changes
    ) -> None:
        self._store = store
        self._erasure = erasure
        self._access = access
        self._changes = changes
        self._titles = Titles(store)

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.post("/api/threads", self._make),
            web.get("/api/threads/{thread}", self._show),
            web.patch("/api/threads/{thread}", self._rename),
            web.delete("/api/threads/{thread}", self._delete),
            web.get("/api/threads/{thread}/pictures/{number}", self._picture),
            web.delete("/api/threads/{thread}/messages/{message}", self._take_back),
        ]

    async def _make(self, request: web.Request) -> web.Response:
        thread_id = uuid.uuid4().hex
        await self._store.make_thread(thread_key(thread_id), owner=person_of(request).id)
        return web.json_response({"thread_id": thread_id}, status=201)

    async def _show(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        key = access.thread
        title = await self._store.title(key)
        if title is None:
            return refusal(request, 404, "http_no_thread")
        turns = await self._store.turns(key)
        authors = await self._store.sharing.authors(key)
        ratings = await self._store.replies.ratings_by(key, access.person.id)
        shown = [
            _turn_json(
                key.thread,
                turn,
                is_mine=access.wrote(authors.get(turn.message, "")),
                locale=locale_of(request),
            )
            | {"good": ratings.get(turn.message)}
            for turn in turns
        ]
        if turns and turns[-1].outcome is Outcome.REFUSED:
            # Only the last question can be asked again.
            last = await self._store.inbox.last_incoming(key)
            may_retry = last is not None and keeps_pictures(last, turns[-1])
            shown[-1]["retry"] = turns[-1].may_pass and may_retry
        return web.json_response(
            {
                "thread_id": key.thread,
                "title": title,
                "is_mine": access.is_owner,
                "can_ask": access.can_ask,
                "can_delete": access.can_manage,
                "share": share_json(access.share) if access.share and access.can_manage else None,
                "shared_by": access.share.shared_by if access.share else None,
                "turns": shown,
            }
        )

    async def _rename(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        access.require_manage()
        given = (await json_object(request)).get("title")
        if not isinstance(given, str):
            raise HttpRefusal(400, "http_bad")
        title = clean_name(given)
        if len(title) > MAX_TITLE:
            raise HttpRefusal(400, "http_long_title", limit=MAX_TITLE)
        title = await self._titles.rename(access.thread, title)
        self._changes.announce(access.thread)
        return web.json_response({"thread_id": access.thread.thread, "title": title})

    async def _delete(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        access.require_manage()
        self._access.revoke(access.thread)
        readers = await self._changes.readers(access.thread)
        if not await self._erasure.thread(access.thread):
            return refusal(request, 404, "http_no_thread")
        self._changes.tell(access.thread, readers)
        return web.Response(status=204)

    async def _take_back(self, request: web.Request) -> web.Response:
        """Erase one question, as if it had never been asked."""
        access = await self._access.of(request)
        key = message_key(request.match_info["message"])
        question = await self._store.inbox.latest(key)
        if question is None or question.thread != access.thread:
            return refusal(request, 404, "http_no_question")
        if not access.wrote(question.author.id):
            access.require_manage()
        await self._erasure.question(key)
        self._changes.announce(access.thread)
        return web.Response(status=204)

    async def _picture(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        found = None
        if number.isdecimal() and len(number) < 10:
            access = await self._access.of(request)
            found = await self._store.picture_file(access.thread, int(number))
        if found is None:
            return refusal(request, 404, "http_no_picture")
        # Revalidated every time, so that a deleted picture is gone; resent only if it changed.
        etag = f'"{found.digest}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        kind = {"png": "image/png", "jpg": "image/jpeg"}[found.suffix]
        return web.Response(body=found.data, content_type=kind, headers={"ETag": etag})


def picture_url(thread_id: str, number: int) -> str:
    """The address of a thread's picture."""
    return f"/api/threads/{thread_id}/pictures/{number}"


def _turn_json(thread_id: str, turn: Turn, *, is_mine: bool, locale: str) -> dict[str, Any]:
    gone = tuple(
        say(locale, "picture_gone", number=picture.number, name=picture.name)
        for picture in turn.gone
    )
    receipt = replace(turn.receipt, dropped=turn.receipt.dropped + gone)
    return {
        "message_id": turn.message,
        "author": {"name": turn.author_name, "is_me": is_mine},
        "question": turn.question,
        "pictures": [
            {
                "number": picture.number,
                "name": picture.name,
                "url": picture_url(thread_id, picture.number),
                "width": picture.width_px,
                "height": picture.height_px,
            }
            for picture in turn.pictures
        ],
        "state": turn.outcome or "pending",
        "answer": turn.answer,
        "receipt": receipt.to_json(),
    }
