"""The questions in flight: claimed, or about to be, and not ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import asdict
from typing import TypeVar

from bot.values.limits import BoundReached
from bot.values.messages import Ending, IncomingMessage, MessageKey, Receipt, ThreadKey
from bot.values.usage import Spent

log = logging.getLogger(__name__)

K = TypeVar("K")

CANCEL_WITHIN_S = 0.7
"""How long a cancelled question may take to end: a platform or a disk may keep it waiting."""


class InFlight:
    """One question in flight. Its methods are its transitions: nothing else changes it."""

    def __init__(self, message: IncomingMessage) -> None:
        self._message = message
        self.arrived_at = time.monotonic()
        """When its event came, or this run of the bot took it up."""
        self._receipt = Receipt()
        self._spent = Spent()
        self._reached: BoundReached | None = None
        self._is_new = False
        self._is_attempted = False
        self._must_count = False
        self._is_superseded = False
        self._is_stopped = False
        self._work: asyncio.Task[Ending] | None = None
        self._decided = asyncio.Event()
        self._is_recorded = False
        self._ended = asyncio.Event()

    # -- what is known of it ------------------------------------------------------------------

    @property
    def message(self) -> IncomingMessage:
        """The question, as far as its platform has been asked for it."""
        return self._message

    @property
    def receipt(self) -> Receipt:
        """As far as it is known yet."""
        return self._receipt

    @property
    def spent(self) -> Spent:
        """What it has cost so far."""
        return self._spent

    @property
    def is_new(self) -> bool:
        """Whether this run of the bot has claimed it, so that the store holds no turn of it."""
        return self._is_new

    @property
    def reached(self) -> BoundReached | None:
        """The bound that it is beyond."""
        return self._reached

    @property
    def is_attempted(self) -> bool:
        """Whether this run of the bot has counted an attempt at it."""
        return self._is_attempted

    @property
    def may_be_put_back(self) -> bool:
        """Whether the attempt may go uncounted; not where something has crashed or hung in it."""
        return self._is_attempted and not self._must_count

    @property
    def is_stopped(self) -> bool:
        """Whether the user wants no more of it."""
        return self._is_stopped

    @property
    def is_superseded(self) -> bool:
        """Whether a later version of it is answered instead, in the same reply."""
        return self._is_superseded

    async def wait_until_recorded(self) -> bool:
        """Wait for the claim, or for an end without one. Returns: whether it is recorded."""
        await self._decided.wait()
        return self._is_recorded

    async def wait_until_ended(self) -> None:
        """Return when it is no longer in flight."""
        await self._ended.wait()

    # -- its transitions ----------------------------------------------------------------------

    def claimed(self, *, attempt_begun: bool, reached: BoundReached | None) -> None:
        """The inbox holds it, with its first attempt counted or not; or refused."""
        self._is_new = True
        self._is_attempted = attempt_begun and reached is None
        self._reached = reached

    def recorded(self) -> None:
        """The inbox holds it, or its user was told why not: its platform may forget it."""
        self._is_recorded = True
        self._decided.set()

    def completed(self, message: IncomingMessage) -> None:
        """The platform has added what the event lacked."""
        self._message = message

    def attempt_begun(self) -> None:
        """The inbox has counted an attempt."""
        self._is_attempted = True

    def attempt_put_back(self) -> None:
        """The inbox no longer counts it."""
        self._is_attempted = False

    def attempt_must_count(self) -> None:
        """What it asks for has crashed or hung: it must not be taken up for ever."""
        self._must_count = True

    def receipt_known(self, receipt: Receipt) -> None:
        """What the answer uses and leaves out has been decided, so far."""
        self._receipt = receipt

    def spends(self, spent: Spent) -> None:
        """It has cost so much by now."""
        self._spent = spent

    async def run(self, work: Coroutine[object, object, Ending]) -> Ending:
        """Run the work so that `stop` can cancel it. Raises: what the work raises."""
        self._work = asyncio.create_task(work, name="work")
        return await self._work

    def stop(self) -> None:
        """Cancel the work wherever it is, even before it has begun."""
        if self._work is not None and not self._is_stopped:
            self._work.cancel()
        self._is_stopped = True

    def superseded_by(self, later: IncomingMessage) -> None:
        """Stop without a word: a later version of the question takes its reply over."""
        if later.key != self._message.key or later.revision <= self._message.revision:
            msg = "only a later version of the same question supersedes it"
            raise ValueError(msg)
        self._is_superseded = True
        self.stop()

    def ended(self) -> None:
        """It is no longer in flight."""
        self._decided.set()
        self._ended.set()


class InFlightQuestions:
    """All questions in flight, in the order they came. Lives as long as the bot."""

    def __init__(self, tell_others: Callable[..., None] = lambda **_: None) -> None:
        """`tell_others`: what is stopped here may be in flight in another process."""
        self._tell_others = tell_others
        self._questions: dict[InFlight, None] = {}
        # Looked through for each event: it must not take longer the more there are.
        self._by_message: defaultdict[MessageKey, list[InFlight]] = defaultdict(list)
        self._by_thread: defaultdict[ThreadKey, list[InFlight]] = defaultdict(list)
        self._closed: list[ThreadKey] = []

    @property
    def all(self) -> list[InFlight]:
        """In the order they came."""
        return list(self._questions)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._questions)

    @contextmanager
    def tracked(self, message: IncomingMessage) -> Iterator[InFlight]:
        """Track a question for as long as the context lasts."""
        question = InFlight(message)
        self._questions[question] = None
        self._by_message[message.key].append(question)
        self._by_thread[message.thread].append(question)
        try:
            yield question
        finally:
            question.ended()
            del self._questions[question]
            _remove(self._by_message, message.key, question)
            _remove(self._by_thread, message.thread, question)

    def is_copy(self, question: InFlight) -> bool:
        """Whether an earlier one is the same version of the same question.

        Platforms may deliver a message more than once; copies end before the claim, so that one
        outcome of it holds for all.
        """
        versions = [
            other
            for other in self.of_message(question.message.key)
            if other.message.revision == question.message.revision
        ]
        return versions[0] is not question

    def of_thread(self, thread: ThreadKey) -> list[InFlight]:
        """A thread's questions."""
        return list(self._by_thread.get(thread, ()))

    def of_author(self, platform: str, team: str | None, author: str) -> list[InFlight]:
        """A person's questions, in one team or (`None`) in all."""
        return [
            question
            for question in self._questions
            if question.message.author.id == author
            and question.message.key.platform == platform
            and team in {None, question.message.key.team}
        ]

    def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest revision of a question in flight."""
        found = [question.message for question in self.of_message(key)]
        return max(found, key=lambda message: message.revision, default=None)

    def stop(self, key: MessageKey) -> bool:
        """Stop a question in this process; false when it is not in flight here."""
        found = self.of_message(key)
        for question in found:
            question.stop()
        return bool(found)

    def supersede(self, later: IncomingMessage) -> None:
        """Stop earlier revisions of a question without a word."""
        self._tell_others(do="supersede", **asdict(later.key), revision=later.revision)
        for question in self.of_message(later.key):
            if question.message.revision < later.revision:
                question.superseded_by(later)

    async def wait_until_recorded(self, key: MessageKey) -> bool:
        """Wait until all versions of a question that are in flight are recorded, or have ended.

        Returns: whether one is, or none was in flight.
        """
        recorded = [await question.wait_until_recorded() for question in self.of_message(key)]
        return any(recorded) or not recorded

    async def stop_and_wait(self, key: MessageKey) -> None:
        """Stop a question and return when it has ended here."""
        self._tell_others(do="stop", **asdict(key))
        await _stop_and_wait(self.of_message(key))

    async def stop_thread(self, thread: ThreadKey) -> None:
        """Stop a thread's questions, and those that come meanwhile; return when none is left."""
        self._tell_others(do="stop thread", **asdict(thread))
        while found := self.of_thread(thread):
            await _stop_and_wait(found)

    async def stop_author(self, platform: str, team: str | None, author: str) -> None:
        """Stop a person's questions, and those that come meanwhile; return when none is left."""
        self._tell_others(do="stop author", platform=platform, team=team, author=author)
        while found := self.of_author(platform, team, author):
            await _stop_and_wait(found)

    def forgotten(self) -> None:
        """What they were about must be in no other process's caches either."""
        self._tell_others(do="clear")

    @contextmanager
    def closed(self, thread: ThreadKey) -> Iterator[None]:
        """Accept no questions in a thread for as long as the context lasts."""
        self._closed.append(thread)
        try:
            yield
        finally:
            self._closed.remove(thread)

    def accepts(self, thread: ThreadKey) -> bool:
        """Whether a thread takes questions."""
        return thread not in self._closed

    def of_message(self, key: MessageKey) -> list[InFlight]:
        """The versions of a question."""
        return list(self._by_message.get(key, ()))


def _remove(index: defaultdict[K, list[InFlight]], key: K, question: InFlight) -> None:
    index[key].remove(question)
    if not index[key]:
        del index[key]


async def _stop_and_wait(questions: list[InFlight]) -> None:
    for question in questions:
        question.stop()
    for question in questions:
        await question.wait_until_ended()


async def end_tasks(tasks: AbstractSet[asyncio.Task[bool]], *, within_s: float) -> None:
    """Let questions end in time, then cancel the rest; do not wait for those that hang."""
    if tasks:
        await asyncio.wait(tasks, timeout=within_s)
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=CANCEL_WITHIN_S)
        if late:
            log.warning("%d questions hang; the next start answers them", len(late))
