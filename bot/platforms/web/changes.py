"""Tells the pages of a person which of their threads changed, so that each follows the others."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict
from typing import Final

from aiohttp import web

from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.guard import HEADERS
from bot.platforms.web.keys import PLATFORM, thread_key
from bot.platforms.web.people import person_of
from bot.store import Signal, Signals, StoreFailed
from bot.values.messages import ThreadKey

log = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 15
MOST_READERS: Final = 100
"""What a signal to other processes has room for."""


class Changes:
    """Who follows, and what they have not been told yet. Lives as long as the playground."""

    def __init__(self, access: ThreadAccess, signals: Signals) -> None:
        self._access = access
        self._signals = signals
        signals.hear(self.hear)
        self._followers: dict[_Follower, str] = {}
        self._announcing: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [web.get("/api/events", self._events)]

    async def close(self, _app: web.Application) -> None:
        """Let the pages go: for `Application.on_shutdown`."""
        for follower in self._followers:
            follower.close()

    async def readers(self, thread: ThreadKey) -> set[str] | None:
        """Who may read a thread; `None`: everybody. Ask before it is erased."""
        return await self._access.readers(thread)

    def announce(self, thread: ThreadKey) -> None:
        """A thread changed: tell those who may read it, here and elsewhere. Returns at once."""
        self._signals.tell(do="changed", **asdict(thread))
        self._announce_here(thread)

    def hear(self, signal: Signal) -> None:
        """A thread changed, or is gone, in another process."""
        if signal["do"] in {"changed", "gone"} and signal["platform"] == PLATFORM:
            thread = thread_key(str(signal["thread"]))
            if signal["do"] == "changed":
                self._announce_here(thread)
            else:
                readers = signal["readers"]
                self._tell_here(thread, None if readers is None else set(readers))

    def _announce_here(self, thread: ThreadKey) -> None:
        if self._followers:
            task = asyncio.create_task(self._announce(thread))
            self._announcing.add(task)
            task.add_done_callback(self._announcing.discard)

    async def _announce(self, thread: ThreadKey) -> None:
        try:
            self._tell_here(thread, await self.readers(thread))
        except StoreFailed:
            log.warning("pages were not told of a change: the store cannot be read")

    def tell(self, thread: ThreadKey, readers: set[str] | None) -> None:
        """Tell these people at once, here and elsewhere."""
        known = None if readers is None else sorted(readers)[:MOST_READERS]
        self._signals.tell(do="gone", **asdict(thread), readers=known)
        self._tell_here(thread, readers)

    def _tell_here(self, thread: ThreadKey, readers: set[str] | None) -> None:
        for follower, person in self._followers.items():
            if readers is None or person in readers:
                follower.add(thread.thread)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        follower = _Follower()
        self._followers[follower] = person_of(request).id
        response = web.StreamResponse(
            headers=HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        try:
            await response.prepare(request)
            await response.write(b"event: ready\ndata: {}\n\n")
            while not follower.is_closed:
                await response.write(await follower.next_event())
        except ConnectionResetError:
            pass
        finally:
            del self._followers[follower]
        return response


class _Follower:
    """One page's connection: the threads it is to be told of, each once."""

    def __init__(self) -> None:
        self._threads: dict[str, None] = {}
        self._changed = asyncio.Event()
        self.is_closed = False

    def add(self, thread_id: str) -> None:
        self._threads[thread_id] = None
        self._changed.set()

    def close(self) -> None:
        self.is_closed = True
        self._changed.set()

    async def next_event(self) -> bytes:
        """The next change, or a sign of life."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self._changed.wait()
        except TimeoutError:
            return b": keep-alive\n\n"
        if self.is_closed:
            return b""
        thread_id = next(iter(self._threads))
        del self._threads[thread_id]
        if not self._threads:
            self._changed.clear()
        return f"event: thread\ndata: {json.dumps({'thread_id': thread_id})}\n\n".encode()
