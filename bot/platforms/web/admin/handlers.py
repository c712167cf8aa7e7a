"""Requests of the admin's page."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from bot.platforms.services import Overview
from bot.platforms.web.admin.gate import AdminGate
from bot.platforms.web.bodies import json_object
from bot.platforms.web.guard import HttpRefusal, locale_of
from bot.platforms.web.person.sessions import Sessions
from bot.texts import catalogue, language_of

PAGE = Path(__file__).parents[1] / "static" / "admin" / "admin.html"
TEXTS = ("admin_", "page_title")
"""How the keys of the sentences begin that the page says by itself."""


class AdminHandlers:
    """Handlers over an overview. Without a gate there is no such page."""

    def __init__(self, gate: AdminGate, overview: Overview) -> None:
        self._gate = gate
        self._overview = overview

    def know_visitors(self, sessions: Sessions | None) -> None:
        """Tell browsers apart by the playground's sessions, where it has any."""
        self._gate.visitors = sessions

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.get("/admin", self._page),
            web.get("/api/admin/texts", self._texts),
            web.post("/api/admin/session", self._enter),
            web.delete("/api/admin/session", self._leave),
            web.get("/api/admin/overview", self._show),
        ]

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE)

    async def _texts(self, request: web.Request) -> web.Response:
        language = language_of(locale_of(request))
        texts = {k: v for k, v in catalogue(language).items() if k.startswith(TEXTS)}
        return web.json_response({"texts": texts, "language": language})

    async def _enter(self, request: web.Request) -> web.Response:
        password = (await json_object(request)).get("password")
        if not isinstance(password, str):
            raise HttpRefusal(400, "http_bad")
        return self._gate.enter(request, password)

    async def _leave(self, request: web.Request) -> web.Response:
        return self._gate.leave(request)

    async def _show(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        return web.json_response(await self._overview.to_json(locale_of(request)))
