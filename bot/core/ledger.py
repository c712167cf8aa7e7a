"""What is written down of each question: claimed, answered, ended.

The way out of an error passes here, so nothing but a claim fails: what the store does not take now
is written late, and until then it is known here.
"""

from __future__ import annotations

import logging

from cachetools import LRUCache

from bot.core.in_flight import InFlight
from bot.core.turns import Turns
from bot.store import Store, StoreFailed
from bot.values.messages import Ending, IncomingMessage, MessageKey, Outcome
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

MAX_UNCLAIMED = 10_000


class Ledger:
    """Writes it down. Lives as long as the bot."""

    def __init__(self, store: Store, turns: Turns) -> None:
        self._store = store
        self._turns = turns
        self._unclaimed: LRUCache[MessageKey, IncomingMessage] = LRUCache(MAX_UNCLAIMED)
        """Questions whose askers were told to ask again: a copy that comes later gets nothing."""

    async def claim(self, message: IncomingMessage, *, attempts: int) -> bool:
        """Take a question; false when it was taken before, or refused without a claim.

        Raises: whatever the store failed with. The question is the caller's to `refuse`, and
        nobody else gets it while this process lives.
        """
        known = self._unclaimed.get(message.key)
        if known is not None and message.revision <= known.revision:
            return False
        try:
            return await self._store.inbox.claim(message, attempts=attempts)
        except Exception:
            self._unclaimed[message.key] = message
            raise

    async def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest version of a question that was claimed or refused; `None`: it is none."""
        return self._unclaimed.get(key) or await self._store.inbox.latest(key)

    async def catch_up(self) -> None:
        """Write down what the store has not taken yet. Raises: StoreFailed."""
        await self._store.late.flush()

    def refuse(self, question: InFlight, ending: Ending) -> None:
        """A question that could not be claimed ends with a sentence: written down late."""
        claimed = self._unclaimed.get(question.message.key, question.message)

        async def write() -> None:
            await self._store.inbox.claim(claimed)
            await self._keep(question, ending)
            await self._store.inbox.end(claimed)
            if self._unclaimed.get(claimed.key) is claimed:
                del self._unclaimed[claimed.key]

        self._store.late.add(write)

    async def keep(self, question: InFlight, ending: Ending) -> bool:
        """Write an answer down before it is delivered; false when the store does not take it."""
        try:
            await self._keep(question, ending)
        except StoreFailed:
            return False
        except Exception as exc:  # noqa: BLE001 - the answer is delivered all the same
            log.error("an answer could not be written down: %s", safe_traceback(exc))
            return False
        return True

    async def end(self, question: InFlight, unkept: Ending | None = None) -> None:
        """Take a question off the inbox: it was delivered.

        `unkept`: the answer that the store did not take a moment ago. It is not tried again here:
        its asker, who has it, may ask on.
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

    def keep_late(self, question: InFlight, ending: Ending) -> None:
        """Keep an answer that could be neither written down nor delivered yet."""
        self._store.late.add(lambda: self._keep(question, ending))

    async def put_back(self, question: InFlight) -> None:
        """At a shutdown: the next start takes the question up, and this attempt does not count."""
        try:
            await self._store.inbox.put_back(question.message)
        except Exception as exc:  # noqa: BLE001 - then the attempt counts; the shutdown goes on
            log.warning("an attempt counts: %s", safe_traceback(exc))

    async def _keep(self, question: InFlight, ending: Ending) -> None:
        if ending.outcome is not Outcome.ANSWERED:
            await self._turns.ensure_exists(question)
        await self._store.answer_turn(question.message, ending)
