"""What is counted of completions: metrics, and the usage that quotas a day are read from."""

from __future__ import annotations

import asyncio
import logging

from bot.core.answering import outcomes
from bot.core.completions.asked import AskedCompletion
from bot.store import Store, StoreFailed
from bot.values.messages import Outcome, UserKey
from bot.values.usage import NOTHING_SPENT, Spent, Use, outcome_of

log = logging.getLogger(__name__)


class Accounts:
    """Counts completions as they end. Lives as long as the bot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writing: set[asyncio.Task[None]] = set()

    async def used_today(self, user: UserKey) -> int:
        """How many of a user's completions have ended today (UTC). Raises: StoreFailed."""
        sums = await self._store.usage.sums(days=1, platform=user.platform, person=user.id)
        return sum(one.questions for one in sums)

    def ended(
        self,
        asked: AskedCompletion,
        outcome: Outcome,
        *,
        reason: str = "",
        spent: Spent = NOTHING_SPENT,
        after_s: float,
    ) -> None:
        """Count one.

        Args:
            asked: it.
            outcome: how it ended.
            reason: the key of the sentence that it ended in, if it did.
            spent: what it cost by then.
            after_s: how long it took.
        """
        platform = asked.user.platform
        ended = outcome_of(outcome.value, reason)
        log.info(outcomes.in_words(platform, ended, spent, after_s=after_s, reason=reason))
        outcomes.QUESTIONS.add(platform, ended)
        if reason:
            outcomes.REFUSALS.add(platform, reason)
        use = Use(
            platform=platform,
            team="",
            channel="",
            person=asked.user.id,
            outcome=ended,
            reason=reason,
            spent=spent,
        )
        task = asyncio.create_task(self._write(use), name="count-completion")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def written(self) -> None:
        """Wait until all that has ended is counted."""
        await asyncio.gather(*self._writing)

    async def _write(self, use: Use) -> None:
        try:
            await self._store.usage.add(use)
        except StoreFailed:
            log.warning("a request of the API is not counted in the usage: the store fails")
