"""The record of each question: claimed, answered, ended.

Error handling depends on it, so only a claim may fail: other writes that the store refuses are
retried later, and known here until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from cachetools import LRUCache

from bot.core.bounds.fair_gate import FairGate
from bot.core.in_flight import InFlight
from bot.core.turns import Turns
from bot.errors import UserFacingError
from bot.store import Claim, Store, StoreFailed
from bot.values.limits import QuestionBounds
from bot.values.messages import Ending, IncomingMessage, MessageKey, Outcome
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

MAX_UNCLAIMED = 10_000
CLAIMS_AT_ONCE = 2
STOP_WITHIN_S = 2.0
"""Slack and Discord report a button that was not acknowledged within three seconds."""


class Ledger:
    """Keeps that record. Lives as long as the bot."""

    def __init__(self, store: Store, turns: Turns, bounds: QuestionBounds) -> None:
        self._store = store
        self._turns = turns
        self._bounds = bounds
        # The store's writer is everybody's.
        self._claiming = FairGate(CLAIMS_AT_ONCE)
        self._noting: set[asyncio.Task[bool]] = set()
        self._unclaimed: LRUCache[MessageKey, IncomingMessage] = LRUCache(MAX_UNCLAIMED)
        """Questions whose users were asked to try again: later copies are ignored."""

    async def claim(
        self, message: IncomingMessage, *, attempts: int, failure: UserFacingError | None = None
    ) -> Claim | None:
        """Claim a question; `None` when it was claimed before, or refused without a claim.

        Raises: the store's failure, or `failure`, for which it cannot be claimed. The caller must
        `refuse` the question; no other copy of it can be claimed while this process lives.
        """
        known = self._unclaimed.get(message.key)
        if known is not None and message.revision <= known.revision:
            return None
        if failure is not None:
            self._unclaimed[message.key] = message
            raise failure
        since = monotonic()  # an outage is one wait, however many wait before the gate
        try:
            async with self._claiming.turn(message.user):
                return await self._store.inbox.claim(
                    message, attempts=attempts, bounds=self._bounds, since=since
                )
        except Exception:
            self._unclaimed[message.key] = message
            raise

    async def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest version of a question that was claimed or refused; `None`: no question."""
        return self._unclaimed.get(key) or await self._store.inbox.latest(key)

    async def catch_up(self) -> None:
        """Write what the store has refused so far. Raises: StoreFailed."""
        await self._store.late.flush()

    def refuse(self, question: InFlight, ending: Ending) -> Callable[[], None]:
        """End a question that could not be claimed; the store gets it later.

        Returns: to be called once the user was told. If the process ends before that, the next
        start tells them.
        """
        claimed = self._unclaimed.get(question.message.key, question.message)
        is_written = is_told = False

        async def write() -> None:
            nonlocal is_written
            if not is_written:
                await self._store.inbox.claim(claimed)
                await self._keep(question, ending)
                is_written = True
            if is_told:
                await self._store.inbox.end(claimed)
                if self._unclaimed.get(claimed.key) is claimed:
                    del self._unclaimed[claimed.key]

        def told() -> None:
            nonlocal is_told
            is_told = True
            if is_written:
                self._store.late.add(write)

        self._store.late.add(write)
        return told

    async def keep(self, question: InFlight, ending: Ending) -> bool:
        """Store an answer before it is delivered; false when the store fails."""
        try:
            await self._keep(question, ending)
        except StoreFailed:
            return False
        except Exception as exc:  # noqa: BLE001 - the answer is delivered anyway
            log.error("an answer could not be stored: %s", safe_traceback(exc))
            return False
        return True

    async def end(self, question: InFlight, unkept: Ending | None = None) -> None:
        """Take a delivered question off the inbox.

        `unkept`: an answer that the store refused a moment ago. It is not retried at once, so that
        the user, who has the answer, can ask on.
        """

        async def write() -> None:
            if unkept is not None:
                await self._keep(question, unkept)
            await self._store.inbox.end(question.message)

        if unkept is not None:
            self._store.late.add(write)
            return
        try:
            await write()
        except StoreFailed:
            self._store.late.add(write)

    async def undelivered(self, question: InFlight, unkept: Ending | None) -> None:
        """Leave an answer that could not be delivered to the next start.

        `unkept`: it could not be stored yet either.
        """

        async def write() -> None:
            if unkept is not None:
                await self._keep(question, unkept)
            await self._store.inbox.release(question.message)

        try:
            await write()
        except StoreFailed:
            self._store.late.add(write)

    async def stop(self, key: MessageKey) -> bool:
        """Note that nobody wants a question's answer any more, so that no next start gives it.

        Returns: false: it is not in flight, in whatever process. Returns within `STOP_WITHIN_S`: an
        acknowledgement waits for it. If the store is slower, or fails, it is noted later.
        """
        noting = asyncio.create_task(self._note_stop(key))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)
        done, _ = await asyncio.wait({noting}, timeout=STOP_WITHIN_S)
        return bool(done) and noting.result()

    async def _note_stop(self, key: MessageKey) -> bool:
        try:
            return await self._store.inbox.stop(key)
        except StoreFailed:
            self._store.late.add(lambda: self._store.inbox.stop(key))
            return False

    async def was_stopped(self, message: IncomingMessage) -> bool:
        """Whether it was stopped in a process that ended before it could end the question."""
        try:
            return await self._store.inbox.is_stopped(message)
        except StoreFailed:
            return False

    async def put_back(self, question: InFlight) -> None:
        """Leave the question to a later attempt, or the next start's: this one does not count."""
        question.attempt_put_back()  # first: a cancellation takes effect once the store has done it
        try:
            await self._store.inbox.put_back(question.message)
        except Exception as exc:  # noqa: BLE001 - then the attempt counts; a shutdown goes on
            question.attempt_begun()
            log.warning("an attempt counts: %s", safe_traceback(exc))

    async def _keep(self, question: InFlight, ending: Ending) -> None:
        if ending.outcome is not Outcome.ANSWERED:
            await self._turns.ensure_exists(question)
        await self._store.answer_turn(question.message, ending)
