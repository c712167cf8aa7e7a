"""Erase what people asked: one question, a thread, or everything of one person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import TypeVar

from bot.core.in_flight import InFlightQuestions
from bot.images.reading.pool import ReadingPool
from bot.store import Store, StoreFailed
from bot.values.messages import MessageKey, ThreadKey
from inference.engine import Engine
from inference.metrics import Counter

T = TypeVar("T")

FORGETS = Counter("forgets", "Times that something was erased, by what.", ("what",))


class Erasure:
    """Stops questions in flight, waits until they end, and erases. Lives as long as the bot.

    If the store fails, erasing is retried until it succeeds, also after a `StoreFailed`.
    """

    def __init__(
        self,
        store: Store,
        questions: InFlightQuestions,
        engine: Engine,
        readings: ReadingPool | None = None,
    ) -> None:
        """`readings`: what was read in pictures is kept there."""
        self._store = store
        self._readings = readings
        self._questions = questions
        self._engine = engine

    async def stop(self, key: MessageKey) -> None:
        """Stop a question and wait until it has ended."""
        await self._questions.stop_and_wait(key)

    async def question(self, key: MessageKey) -> bool:
        """Forget a question, its pictures and its answer; false when there is none.

        Its author deleted it and gets no sentence: if the store fails, it is erased later.
        """
        FORGETS.add("question")
        await self.stop(key)
        await self._clear_caches()
        try:
            return await self._erase(partial(self._store.forget_question, key))
        except StoreFailed:
            return True

    async def thread(self, thread: ThreadKey) -> bool:
        """Forget a thread; false when there is none. Raises: StoreFailed."""
        FORGETS.add("thread")
        with self._questions.closed(thread):
            await self._questions.stop_thread(thread)
            await self._clear_caches()
            return await self._erase(partial(self._store.forget_thread, thread))

    async def threads(self, threads: Sequence[ThreadKey]) -> int:
        """Forget several threads. Returns: how many. Raises: StoreFailed."""
        FORGETS.add("thread", by=len(threads))
        with ExitStack() as closed:
            for thread in threads:
                closed.enter_context(self._questions.closed(thread))
                await self._questions.stop_thread(thread)
            await self._clear_caches()
            return await self._erase(partial(self._store.forget_threads, threads))

    async def author(self, platform: str, team: str | None, author: str) -> int:
        """Forget everything a person asked, in one team or in all. Raises: StoreFailed.

        Threads of their own go as a whole, with what others asked there. Returns: how many
        questions of theirs.
        """
        FORGETS.add("person")
        with ExitStack() as closed:
            for thread in await self._owned(platform, team, author):
                closed.enter_context(self._questions.closed(thread))
                await self._questions.stop_thread(thread)
            await self._questions.stop_author(platform, team, author)
            await self._clear_caches()
            return await self._erase(partial(self._store.forget_author, platform, team, author))

    async def _clear_caches(self) -> None:
        await self._engine.clear_caches()
        if self._readings is not None:
            self._readings.forget()
        self._questions.forgotten()

    async def older_than(self, age: timedelta) -> int:
        """Forget the threads that nobody used within `age`. Returns: how many. Raises: StoreFailed.

        Questions in flight keep their thread young, so none must be stopped.
        """
        count = await self._store.forget_older_than(age)
        if count:
            FORGETS.add("expired", by=count)
            await self._clear_caches()
        return count

    async def _owned(self, platform: str, team: str | None, author: str) -> list[ThreadKey]:
        try:
            owned = await self._store.sharing.owned(platform, author)
        except StoreFailed:
            return []  # erasing will fail as well, and come back to them
        return [thread for thread in owned if team in {None, thread.team}]

    async def _erase(self, erase: Callable[[], Awaitable[T]]) -> T:
        """Erase after the late writes, which would otherwise bring erased data back."""
        try:
            await self._store.late.flush()
            return await erase()
        except StoreFailed:
            self._store.late.add(erase)
            raise
