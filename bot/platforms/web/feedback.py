"""Requests that say what a person thinks of an answer."""

from __future__ import annotations

from aiohttp import web

from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.bodies import json_object
from bot.platforms.web.changes import Changes
from bot.platforms.web.guard import HttpRefusal
from bot.platforms.web.keys import message_key
from bot.store import Store


class FeedbackHandlers:
    """Handlers over the store."""

    def __init__(self, *, store: Store, access: ThreadAccess, changes: Changes) -> None:
        self._store = store
        self._access = access
        self._changes = changes

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [web.post("/api/threads/{thread}/messages/{message}/feedback", self._rate)]

    async def _rate(self, request: web.Request) -> web.Response:
        """Save, change or (``null``) take back what a person thinks of an answer."""
        access = await self._access.of(request)
        key = message_key(request.match_info["message"])
        question = await self._store.inbox.latest(key)
        if question is None or question.thread != access.thread:
            raise HttpRefusal(404, "http_no_question")
        body = await json_object(request)
        good = body.get("good")
        if "good" not in body or not (good is None or isinstance(good, bool)):
            raise HttpRefusal(400, "http_bad")
        if good is None:
            await self._store.replies.withdraw(access.thread, key, access.person.id)
        else:
            await self._store.replies.rate(key, access.person.id, good=good)
        self._changes.tell(access.thread, {access.person.id})
        return web.Response(status=204)
