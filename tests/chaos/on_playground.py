"""People at the playground's interface."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

from tests.chaos.people import People, Seen
from tests.scenario.playground import events

UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
PATIENCE_S = 60


class PlaygroundPeople(People):
    """They ask in threads of their own, leave in mid-answer, stop, and ask again."""

    name = "playground"

    def __init__(self, address: str, seed: random.Random) -> None:
        super().__init__(seed)
        self._address = address
        self._http = self._session()
        self._threads: list[str] = []
        self._accepted: set[str] = set()
        self._following: set[asyncio.Task[None]] = set()
        self._seen = Seen()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(self._address, timeout=aiohttp.ClientTimeout(total=PATIENCE_S))

    def doings(self) -> dict[str, tuple[int, Callable[[], Any]]]:
        """See `People`."""
        return {
            "question": (40, self._question),
            "question with a picture": (25, lambda: self._question(with_picture=True)),
            "follow-up": (20, self._follow_up),
            "stop": (5, lambda: self._post("stop")),
            "ask again": (5, lambda: self._post("again")),
        }

    def _question(self, *, with_picture: bool = False) -> None:
        self._follow(self._ask_in_new_thread(with_picture=with_picture))

    async def _ask_in_new_thread(self, *, with_picture: bool) -> None:
        with suppress(*UNREACHABLE):
            async with self._http.post("/api/threads") as response:
                if response.status != 201:
                    return
                thread = (await response.json())["thread_id"]
            self._threads.append(thread)
            await self._ask(thread, with_picture=with_picture)

    def _follow_up(self) -> bool:
        if not self._threads:
            return False
        self._follow(self._ask(self.random.choice(self._threads[-20:])))
        return True

    def _follow(self, asking: Any) -> None:
        task = asyncio.create_task(asking)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _ask(self, thread: str, *, with_picture: bool = False) -> None:
        id_ = f"question {len(self.questions)}"
        self.ask(id_, thread, lambda: id_ in self._accepted)
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("text", id_)
        if with_picture:
            form.add_field("images", self.picture(), filename="a.png")
        with suppress(*UNREACHABLE):
            path = f"/api/threads/{thread}/messages"
            async with self._http.post(path, data=form) as response:
                if response.status == 200:
                    self._accepted.add(id_)
                    async for _ in events(response):
                        pass

    def _post(self, what: str) -> bool:
        if not self._threads:
            return False
        self._follow(self._posted(self.random.choice(self._threads[-20:]), what))
        return True

    async def _posted(self, thread: str, what: str) -> None:
        with suppress(*UNREACHABLE):
            async with self._http.post(f"/api/threads/{thread}/{what}") as response:
                await response.read()

    def cut(self) -> None:
        """Break the connections of those who follow an answer."""
        for task in list(self._following):
            task.cancel()

    async def look(self) -> None:
        """Ask for every thread: `seen` shows what they held."""
        seen = Seen()
        for thread in self._threads:
            async with self._http.get(f"/api/threads/{thread}") as response:
                turns = (await response.json()).get("turns", [])
            for turn in turns:
                if turn["state"] == "pending":
                    seen.unended.add(turn["question"])
                else:
                    seen.ended[turn["question"]] += 1
        self._seen = seen

    def seen(self) -> Seen:
        """See `People`: as of the last `look`."""
        return self._seen

    async def rest(self) -> None:
        """Keep no connection open."""
        await self._http.close()
        self._http = self._session()

    async def close(self) -> None:
        """Leave."""
        self.cut()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self._http.close()
