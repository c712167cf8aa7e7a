"""Requests about the person who makes them: who am I, what is my name, forget me."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.core.erasure import Erasure
from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.bodies import json_object
from bot.platforms.web.changes import Changes
from bot.platforms.web.guard import HttpRefusal, locale_of
from bot.platforms.web.keys import PLATFORM, TEAM
from bot.platforms.web.people import Kind, name_of, person_of
from bot.platforms.web.person.sessions import Sessions
from bot.store import Store
from bot.texts import say
from bot.values.cleaning import clean_name

MAX_NAME = 60
WHO_SEES = {
    Kind.LOCAL: "who_sees_local",
    Kind.NAME: "who_sees_name",
    Kind.SESSION: "who_sees_session",
}


class MeHandlers:
    """Handlers over the store."""

    def __init__(
        self, *, store: Store, erasure: Erasure, access: ThreadAccess, changes: Changes
    ) -> None:
        self._store = store
        self._erasure = erasure
        self._access = access
        self._changes = changes
        self.sessions: Sessions | None = None
        """`None` until the playground starts, and where everybody is the local person."""

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.get("/api/me", self._show),
            web.put("/api/me", self._rename),
            web.delete("/api/me", self._forget),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(await self._json(request))

    async def _rename(self, request: web.Request) -> web.Response:
        person = person_of(request)
        if person.kind is Kind.NAME:
            raise HttpRefusal(409, "http_name_is_given", name=person.user_name)
        given = (await json_object(request)).get("name")
        if not isinstance(given, str):
            raise HttpRefusal(400, "http_bad")
        name = clean_name(given)
        if len(name) > MAX_NAME:
            raise HttpRefusal(400, "http_long_name", limit=MAX_NAME)
        await self._store.people.remember_name(PLATFORM, person.id, name)
        return web.json_response(await self._json(request))

    async def _forget(self, request: web.Request) -> web.Response:
        person = person_of(request)
        sharing = self._store.sharing
        changing = await sharing.involving(PLATFORM, person.id)
        readers = [(thread, await self._changes.readers(thread)) for thread in changing]
        for thread in await sharing.owned(PLATFORM, person.id):
            self._access.revoke(thread)
        count = await self._erasure.author(PLATFORM, TEAM, person.id)
        for thread, people in readers:
            self._changes.tell(thread, people)
        response = web.json_response({"questions": count})
        if self.sessions is not None:
            self.sessions.end(response)
        return response

    async def _json(self, request: web.Request) -> dict[str, Any]:
        person, locale = person_of(request), locale_of(request)
        name = await name_of(self._store, person)
        is_team = self._access.everybody and person.kind is not Kind.LOCAL
        sees = "who_sees_team" if is_team else WHO_SEES[person.kind]
        sentences = [say(locale, sees, name=name)]
        if self._access.sharing:
            sentences.append(say(locale, "who_can_share"))
        return {
            "name": name,
            "kind": person.kind.value,
            "threads": "team" if self._access.everybody else "private",
            "sharing": self._access.sharing,
            "who_sees": sentences,
        }
