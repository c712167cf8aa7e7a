"""The page of a demo: its files, what it shows, and what a visitor does on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.photos import SAMPLES
from tests.servers.demo.view import Upload, View, Visitor, Written
from tests.servers.demo.visitors import NameRefused, Visitors

STATIC = Path(__file__).parent / "static"
POLICY = "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"


class Demo(ABC):
    """What the page needs of a local platform."""

    def __init__(self) -> None:
        self.visitors = Visitors()
        self.reactions: dict[str, dict[str, list[str]]] = {}
        """Message → emoji → the people who chose it; the bot is not told of them."""

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._page),
            web.static("/page", STATIC),
            web.static("/samples", SAMPLES),
            web.get("/demo/state", self._state),
            web.get("/demo/files/{id}", self._file),
            web.post("/demo/join", self._join),
            web.post("/demo/say", self._say),
            web.post("/demo/do", self._do),
        ]

    # -- what a platform is asked -------------------------------------------------------------

    @abstractmethod
    def view(self, visitor: Visitor) -> View:
        """What this visitor sees."""

    @abstractmethod
    def names(self) -> dict[str, str]:
        """Everybody's name, by id."""

    @abstractmethod
    def join(self, name: str, locale: str) -> str:
        """Somebody comes. Returns: their id."""

    @abstractmethod
    def file(self, file: str) -> bytes:
        """A picture in a message. Raises: KeyError."""

    @abstractmethod
    def say(self, visitor: Visitor, written: Written) -> None:
        """A visitor writes, or uses a slash command."""

    @abstractmethod
    def do(self, visitor: Visitor, asked: Mapping[str, Any]) -> None:
        """A visitor presses, edits, deletes, chooses."""

    # -- HTTP ---------------------------------------------------------------------------------

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        policy = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        return web.FileResponse(STATIC / "index.html", headers=policy)

    async def _state(self, request: web.Request) -> web.Response:
        visitor = Visitor(user=self.visitors.user_of(request), tab=request.query.get("tab", ""))
        return web.json_response(asdict(self.view(visitor)))

    async def _file(self, request: web.Request) -> web.Response:
        try:
            body = self.file(request.match_info["id"])
        except KeyError:
            raise web.HTTPNotFound from None
        # Never a page: whatever somebody uploads is a picture, or is saved.
        return web.Response(body=body, content_type="application/octet-stream")

    async def _join(self, request: web.Request) -> web.Response:
        asked: dict[str, Any] = await request.json()
        try:
            name = self.visitors.name_from(str(asked["name"]), self.names())
        except NameRefused as refused:
            return web.json_response({"error": str(refused)})
        response = web.json_response({})
        self.visitors.welcome(response, self.join(name, str(asked.get("locale", ""))))
        return response

    async def _say(self, request: web.Request) -> web.Response:
        form = await request.post()
        values = {name: str(it) for name, it in form.items() if not isinstance(it, web.FileField)}
        uploads = [
            Upload(name=part.filename, data=part.file.read(), option=name.partition(":")[2])
            for name, part in form.items()
            if isinstance(part, web.FileField)
        ]
        written = Written(
            text=values.get("text", "").strip(),
            uploads=uploads,
            place=values["place"],
            thread=values.get("thread", ""),
            command=values.get("command", ""),
            title=values.get("title", ""),
        )
        if written.text or written.uploads or written.command:
            self.say(self._visitor(request, values), written)
        return web.json_response({})

    async def _do(self, request: web.Request) -> web.Response:
        asked: dict[str, Any] = await request.json()
        visitor = self._visitor(request, asked)
        if asked["what"] == "react":
            self._react(visitor.user, str(asked["id"]), str(asked["emoji"]))
        else:
            self.do(visitor, asked)
        return web.json_response({})

    def _visitor(self, request: web.Request, values: Mapping[str, Any]) -> Visitor:
        user = self.visitors.user_of(request)
        if not user:
            raise web.HTTPForbidden(text="Choose a name first.")
        return Visitor(user=user, tab=str(values.get("tab", "")))

    def _react(self, user: str, message: str, emoji: str) -> None:
        """Choose an emoji, or take it back."""
        chosen = self.reactions.setdefault(message, {})
        people = chosen.setdefault(emoji, [])
        if user not in people:
            people.append(user)
            return
        people.remove(user)
        if not people:
            del chosen[emoji]
