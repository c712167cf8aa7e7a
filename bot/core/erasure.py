"""Erase what people have asked: a question, a thread, all of one person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bot.core.in_flight import InFlightQuestions
from bot.store import Store, StoreFailed
from bot.values.messages import MessageKey, ThreadKey
from inference.engine import Engine

T = TypeVar("T")


class Erasure:
    """Stops what is under way, waits for its end, and erases. Lives as long as the bot.

    What the store cannot erase now is erased as soon as it can be, also after a `StoreFailed`.
    """

    def __init__(self, store: Store, questions: InFlightQuestions, engine: Engine) -> None:
        self._store = store
        self._questions = questions
        self._engine = engine

    async def stop(self, key: MessageKey) -> None:
        """Stop a question and wait for its end."""
        await self._questions.stop_and_wait(key)

    async def question(self, key: MessageKey) -> bool:
        """Forget a question, its pictures and its answer; false when there is none.

        Its author has deleted it and is told nothing: a store that fails does it later.
        """
        await self.stop(key)
        await self._engine.clear_caches()
        try:
            return await self._erase(partial(self._store.forget_question, key))
        except StoreFailed:
            return True

    async def thread(self, thread: ThreadKey) -> bool:
        """Forget a thread; false when there is none. Raises: StoreFailed."""
        with self._questions.closed(thread):
            await self._questions.stop_thread(thread)
            await self._engine.clear_caches()
            return await self._erase(partial(self._store.forget_thread, thread))

    async def author(self, platform: str, team: str | None, author: str) -> int:
        """Forget all that a person has asked, in a team or in all. Raises: StoreFailed.

        Returns: how many questions.
        """
        await self._questions.stop_author(platform, team, author)
        await self._engine.clear_caches()
        return await self._erase(partial(self._store.forget_author, platform, team, author))

    async def _erase(self, erase: Callable[[], Awaitable[T]]) -> T:
        """After what is still to be written: it must not come back behind its erasure."""
        try:
            await self._store.late.flush()
            return await erase()
        except StoreFailed:
            self._store.late.add(erase)
            raise
