"""Questions that are refused before any work is done for them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from cachetools import LRUCache

from bot.core.answering import outcomes
from bot.core.in_flight import InFlight
from bot.core.ledger import Ledger
from bot.core.reply import Reply
from bot.core.thread_queues import Ticket
from bot.errors import BeyondBound, refusal_of
from bot.store import StoreFailed
from bot.values.limits import BoundReached
from bot.values.messages import Ending, Exchange, Outcome, Receipt, UserKey
from bot.values.usage import outcome_of
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

MAX_USERS = 10_000


class Refusals:
    """Tells users. Lives as long as the bot."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next_at: LRUCache[UserKey, float] = LRUCache(MAX_USERS)

    async def beyond(
        self, question: InFlight, exchange: Exchange, ticket: Ticket, reached: BoundReached
    ) -> Ending:
        """Wait until the user may be told. Raises: BeyondBound, always.

        A chat takes so many messages a minute from the bot: one user's refusals are sent one after
        the other, so that a flood of them holds up nobody. The thread's next question does not wait
        for that.
        """
        ticket.leave()
        await self._pace(question.message.user, exchange.limits.refusal_pace_s)
        # For the user's language and name. `again`, because its pictures are not needed.
        completed = await exchange.complete(replace(question.message, again=True))
        question.completed(replace(completed, again=question.message.again))
        raise BeyondBound(reached)

    async def _pace(self, user: UserKey, pace_s: float) -> None:
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at.get(user, now))
        self._next_at[user] = at + pace_s
        await asyncio.sleep(at - now)

    async def unclaimed(self, question: InFlight, exchange: Exchange, failure: Exception) -> None:
        """The claim failed: nothing is stored, so nothing begins. The sentence is from memory."""
        if not isinstance(failure, StoreFailed):
            log.error("a question could not be claimed: %s", safe_traceback(failure))
        message = question.message
        try:
            # For the user's language and name. `again`, because its pictures are not needed.
            completed = await exchange.complete(replace(message, again=True))
            message = replace(completed, again=message.again)
            question.completed(message)
        except Exception as exc:  # noqa: BLE001 - then in the message's own language
            log.warning("a user's language is not known: %s", safe_traceback(exc))
        refusal = refusal_of(failure)
        ending = Ending(
            outcome=Outcome.REFUSED,
            text=refusal.sentence(message.locale),
            receipt=Receipt(),
            claimed=False,
            reason=refusal.key,
        )
        told = self._ledger.refuse(question, ending)
        platform = message.key.platform
        outcomes.QUESTIONS.add(platform, outcome_of(ending.outcome, refusal.key))
        outcomes.REFUSALS.add(platform, refusal.key)
        reply = Reply(exchange, platform=platform, asked_at=question.arrived_at)
        if await reply.finish(ending):
            told()
        question.recorded()
