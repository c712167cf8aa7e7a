"""The questions that are under way: claimed or about to be, and not ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.values.messages import Ending, IncomingMessage, MessageKey, Receipt, ThreadKey


@dataclass(slots=True, kw_only=True, eq=False)
class InFlight:
    """One question on its way."""

    message: IncomingMessage
    receipt: Receipt = field(default_factory=Receipt)
    """As far as it is known yet."""
    work: asyncio.Task[Ending] | None = None
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """The asker wants no more of it."""
    superseded: bool = False
    """A later version of the question is answered in its stead, in the same reply."""
    is_new: bool = False
    """Claimed in this run of the bot, so that nothing of it is written down yet."""
    attempted: bool = False
    """Its work has begun in this run of the bot."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """End the work, wherever it is; also when it has not begun."""
        if self.work is not None and not self.stopped.is_set():
            self.work.cancel()
        self.stopped.set()


class InFlightQuestions:
    """All of them, in the order they came. Lives as long as the bot."""

    def __init__(self) -> None:
        self._all: list[InFlight] = []
        self._forgetting: list[ThreadKey] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._all)

    @contextmanager
    def under_way(self, message: IncomingMessage) -> Iterator[InFlight]:
        """Hold a question here for as long as the context lasts."""
        question = InFlight(message=message)
        self._all.append(question)
        try:
            yield question
        finally:
            question.over.set()
            self._all.remove(question)

    def is_copy(self, question: InFlight) -> bool:
        """Whether an earlier one is the same version of the same question.

        Platforms tell a message more than once; the copies end before the claim, so that one
        outcome of it holds for all.
        """
        version = (question.message.key, question.message.revision)
        return any(
            it is not question and (it.message.key, it.message.revision) == version
            for it in self._all
        )

    def of_thread(self, thread: ThreadKey) -> list[InFlight]:
        """Those of a thread."""
        return [it for it in self._all if it.message.thread == thread]

    def of_author(self, platform: str, team: str | None, author: str) -> list[InFlight]:
        """Those of a person, in a team or in all."""
        return [
            it
            for it in self._all
            if it.message.author.id == author
            and it.message.key.platform == platform
            and team in {None, it.message.key.team}
        ]

    def stop(self, key: MessageKey) -> bool:
        """Stop a question; false when it is not under way."""
        found = [it for it in self._all if it.message.key == key]
        for question in found:
            question.stop()
        return bool(found)

    def supersede(self, key: MessageKey, *, before: int) -> None:
        """Stop earlier revisions of a question without a word."""
        for question in self._all:
            if question.message.key == key and question.message.revision < before:
                question.superseded = True
                question.stop()

    def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest revision of a question that is under way."""
        found = [it.message for it in self._all if it.message.key == key]
        return max(found, key=lambda message: message.revision, default=None)

    async def stop_and_wait(self, key: MessageKey) -> None:
        """Stop a question and return when it has ended."""
        for question in [it for it in self._all if it.message.key == key]:
            question.stop()
            await question.over.wait()

    async def stop_thread(self, thread: ThreadKey) -> None:
        """Stop a thread's questions, and those that come meanwhile; return when none is left."""
        while found := self.of_thread(thread):
            for question in found:
                question.stop()
            await found[0].over.wait()

    @contextmanager
    def none_let_in(self, thread: ThreadKey) -> Iterator[None]:
        """A thread takes no questions for as long as the context lasts."""
        self._forgetting.append(thread)
        try:
            yield
        finally:
            self._forgetting.remove(thread)

    def lets_in(self, thread: ThreadKey) -> bool:
        """Whether a thread takes questions."""
        return thread not in self._forgetting
