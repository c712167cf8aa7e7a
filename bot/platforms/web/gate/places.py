"""Who may send files at the same time: a bounded number, and no person or address all of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MAX_PLACES: Final = 16
MAX_PER_SENDER: Final = 8
MAX_PER_PERSON: Final = 4
WAIT_S: Final = 60


class AllTaken(Exception):
    """No place became free in time."""


class Places:
    """The places, and who waits for one. Lives as long as the playground."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []

    @asynccontextmanager
    async def taken(self, sender: str, person: str) -> AsyncIterator[None]:
        """Take a place for as long as files come in. Raises: AllTaken."""
        # A person may be named like an address.
        keys = (f"from {sender}", f"by {person}")
        await self._take(keys)
        try:
            yield
        finally:
            self._give_back(keys)

    async def _take(self, keys: tuple[str, str]) -> None:
        waiting = _Waiting(keys)
        self._waiting.append(waiting)
        self._admit()
        try:
            async with asyncio.timeout(WAIT_S):
                await waiting.admitted.wait()
        except TimeoutError:
            if not waiting.admitted.is_set():
                raise AllTaken from None
        except asyncio.CancelledError:
            if waiting.admitted.is_set():
                self._give_back(keys)
            raise
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def _give_back(self, keys: tuple[str, str]) -> None:
        self._taken.subtract(("all", *keys))
        self._taken += Counter()  # drop the zeros
        self._admit()

    def _admit(self) -> None:
        """Who has waited longest, and has room, is next."""
        for waiting in list(self._waiting):
            if self._has_room(*waiting.keys):
                self._taken.update(("all", *waiting.keys))
                self._waiting.remove(waiting)
                waiting.admitted.set()

    def _has_room(self, sender: str, person: str) -> bool:
        return (
            self._taken["all"] < MAX_PLACES
            and self._taken[sender] < MAX_PER_SENDER
            and self._taken[person] < MAX_PER_PERSON
        )


class _Waiting:
    def __init__(self, keys: tuple[str, str]) -> None:
        self.keys = keys
        self.admitted = asyncio.Event()
