"""What processes tell each other at once: stop a question, forget a cache, show a change."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, select

from bot.store.database import Database, StoreFailed
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

CHANNEL = "llava_bot"

Signal: TypeAlias = Mapping[str, Any]
"""What to do (`do`), and to what: ids, never what people wrote."""
MISSED: Signal = {"do": "missed"}
"""Heard by a process that was cut off: it does not know what it was told meanwhile."""


class Signals:
    """Tells the other processes, and hears them. Made by `running_signals`; needs its loop.

    Each process that listens hears each signal of the others, once, in the order of one sender.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own = uuid.uuid4().hex
        self._hearers: list[Callable[[Signal], None]] = []
        self._is_closed = False
        self._telling: set[asyncio.Task[None]] = set()

    def hear(self, hearer: Callable[[Signal], None]) -> None:
        """Call this with each signal of another process."""
        self._hearers.append(hearer)

    @contextmanager
    def heard_by(self, hearer: Callable[[Signal], None]) -> Iterator[None]:
        """Call this with each signal of another process, for as long as the context lasts."""
        self._hearers.append(hearer)
        try:
            yield
        finally:
            self._hearers.remove(hearer)

    def tell_with(self, connection: Connection, **signal: Any) -> None:
        """Tell the others when, and if, a transaction is committed."""
        if self._database.is_shared:
            connection.execute(select(func.pg_notify(CHANNEL, self._words(signal))))

    def tell(self, **signal: Any) -> None:
        """Tell the others. Returns at once; where the database fails, nobody hears it."""
        if self._database.is_shared and not self._is_closed:
            task = asyncio.create_task(self._tell(self._words(signal)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, words: str) -> None:
        try:
            await self._database.write(lambda c: c.execute(select(func.pg_notify(CHANNEL, words))))
        except StoreFailed:
            log.warning("the other processes were not told")

    async def close(self) -> None:
        """Tell nothing more, once what has been said is told."""
        self._is_closed = True
        await asyncio.gather(*self._telling)

    def _words(self, signal: Signal) -> str:
        return json.dumps({**signal, "from": self._own})

    def heard(self, words: str) -> None:
        """Take a signal in; an empty one stands for those that were missed."""
        signal: Signal = json.loads(words) if words else MISSED
        if signal.get("from") == self._own:
            return
        for hearer in tuple(self._hearers):
            try:
                hearer(signal)
            except Exception as exc:  # noqa: BLE001 - one hearer's surprise must not deafen the rest
                log.error("a signal was not followed: %s", safe_traceback(exc))


@asynccontextmanager
async def running_signals(database: Database) -> AsyncIterator[Signals]:
    """Signals, heard for as long as the context lasts."""
    signals = Signals(database)
    loop = asyncio.get_running_loop()
    async with database.listening(
        CHANNEL, lambda words: loop.call_soon_threadsafe(signals.heard, words)
    ):
        try:
            yield signals
        finally:
            await signals.close()
