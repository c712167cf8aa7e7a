"""A page to talk to the bot in a local platform: `make demo-slack`, `make demo-discord`.

The page shows a channel as a person sees it: write, add a picture, answer in a thread, press
buttons, edit, delete, use the menu of a message and the slash commands. Nothing of it leaves this
machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import webbrowser
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.settings import default_data_dir

PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A message as the page shows it."""

    id: str
    thread: str = ""
    """The thread's first message; empty in the channel itself."""
    author: str
    is_bot: bool = False
    time: float
    text: str
    raw: str = ""
    """The text to edit."""
    small: str = ""
    pictures: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """(label, what pressing it sends)."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a modal."""

    id: str
    label: str
    value: str = ""
    placeholder: str = ""
    options: list[tuple[str, str]] = field(default_factory=list)
    """(label, value); empty for a text."""


@dataclass(frozen=True, kw_only=True)
class Modal:
    """A modal that is open."""

    id: str
    title: str
    submit: str
    close: str
    text: str = ""
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that a user sees."""

    title: str
    people: dict[str, str]
    connected: bool
    messages: list[Seen]
    working: list[tuple[str, str, bool]] = field(default_factory=list)
    """(thread, what the bot does there, whether it can be stopped here)."""
    private: list[str] = field(default_factory=list)
    modals: list[Modal] = field(default_factory=list)


class Demo(ABC):
    """What the page needs of a local platform."""

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._page),
            web.static("/page", PAGE),
            web.get("/demo/state", self._state),
            web.get("/demo/files/{id}", self._file),
            web.post("/demo/say", self._say),
            web.post("/demo/do", self._do),
        ]

    @abstractmethod
    def view(self, user: str) -> View:
        """What this user sees."""

    @abstractmethod
    def file(self, file: str) -> bytes:
        """A picture in a message."""

    @abstractmethod
    def say(self, user: str, text: str, files: list[tuple[str, bytes]], thread: str) -> None:
        """A user writes."""

    @abstractmethod
    def do(self, user: str, asked: Mapping[str, Any]) -> None:
        """A user presses, edits, deletes, chooses."""

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(self.view(request.query.get("user", ""))))

    async def _file(self, request: web.Request) -> web.Response:
        body = self.file(request.match_info["id"])
        return web.Response(body=body, content_type="application/octet-stream")

    async def _say(self, request: web.Request) -> web.Response:
        form = await request.post()
        files = [
            (it.filename, it.file.read())
            for it in form.getall("files", [])
            if isinstance(it, web.FileField)
        ]
        text, thread = str(form.get("text", "")).strip(), str(form.get("thread") or "")
        if text or files:
            self.say(str(form["user"]), text, files, thread)
        return web.json_response({})

    async def _do(self, request: web.Request) -> web.Response:
        asked: dict[str, Any] = await request.json()
        self.do(asked.pop("user"), asked)
        return web.json_response({})


async def with_bot(
    address: str, settings: dict[str, str], connected: Awaitable[object], *, open_page: bool
) -> int:
    """Run the real bot beside a local platform until a signal comes. Returns: its exit code."""
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    with tempfile.TemporaryDirectory(prefix="llava-bot-demo-") as folder:
        # A state of its own; the model is the one that `make run` has assembled.
        models = default_data_dir() / "models"
        models.mkdir(parents=True, exist_ok=True)
        (Path(folder) / "models").symlink_to(models)
        bot = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "run",
            "--port",
            "0",
            env=os.environ | settings | {"DATA_DIR": folder},
        )
        ended = asyncio.create_task(bot.wait())
        stopped = asyncio.create_task(end.wait())
        there = asyncio.ensure_future(connected)
        await asyncio.wait({ended, stopped, there}, return_when=asyncio.FIRST_COMPLETED)
        if there.done():
            print(f"The page is at {address}", flush=True)
            if open_page:
                await asyncio.to_thread(webbrowser.open, address)
        there.cancel()
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            bot.terminate()
        stopped.cancel()
        return await ended


def main(description: str | None, port: int, demo: Callable[..., Awaitable[int]]) -> int:
    """The command line of both demos."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--open", action="store_true")
    arguments = parser.parse_args()
    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

    async def run() -> int:
        return await demo(arguments.port, open_page=arguments.open and has_screen)

    return asyncio.run(run())
