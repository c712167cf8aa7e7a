"""The use case. Read this file first.

A question goes: claim → access → pictures → conversation → generate → reply. It ends in an answer
or in a sentence; after a crash it is still in the inbox, and the next start resumes it. Both
endings reach the user even when the store fails: see `Ledger`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from time import monotonic

from bot.core.access import Access
from bot.core.answering import outcomes
from bot.core.answering.options import AnswerOptions
from bot.core.answering.producer import AnswerProducer
from bot.core.attachments import Attachments
from bot.core.bounds.refusals import Refusals
from bot.core.in_flight import InFlight, InFlightQuestions, end_tasks
from bot.core.ledger import Ledger
from bot.core.processes.fenced import fenced
from bot.core.processes.order import has_ended_elsewhere
from bot.core.reply import Reply, running_reply
from bot.core.thread_queues import ThreadQueues, Ticket
from bot.core.turns import Turns, asked_again
from bot.errors import ShuttingDown, UserFacingError, refusal_of
from bot.images.reading.pool import ReadingPool
from bot.store import Store, StoreFailed
from bot.texts import say
from bot.values.limits import QuestionBounds
from bot.values.messages import (
    Author,
    Ending,
    Exchange,
    IncomingMessage,
    MessageKey,
    Outcome,
    ThreadKey,
)
from bot.values.turns import ChannelPlace
from bot.values.usage import outcome_of
from inference.about import about
from inference.engine import Engines
from inference.errors import InferenceError, safe_traceback
from inference.progress import LoadProgress
from inference.types import ModelInfo

log = logging.getLogger(__name__)


class Answers:
    """Answers questions, and tracks those in flight. Lives as long as the bot."""

    def __init__(
        self,
        *,
        store: Store,
        engine: Engines,
        attachments: Attachments,
        access: Access,
        options: AnswerOptions,
        bounds: QuestionBounds,
        questions: InFlightQuestions,
        readings: ReadingPool | None = None,
    ) -> None:
        """`readings`: reads text in pictures; `None`: it is not read."""
        self._store = store
        self._engine = engine
        self._turns = Turns(store, attachments)
        self._ledger = Ledger(store, self._turns, bounds)
        self._refusals = Refusals(self._ledger)
        self.access = access
        self._producer = AnswerProducer(
            store=store,
            engine=engine,
            turns=self._turns,
            ledger=self._ledger,
            options=options,
            readings=readings,
        )
        self._reads_pictures = readings is not None
        self._presets = options.presets
        self._queues = ThreadQueues()
        self._questions = questions
        self._tasks: set[asyncio.Task[bool]] = set()
        self._draining = False

    # -- what adapters call -------------------------------------------------------------------

    @property
    def model(self) -> ModelInfo | None:
        """The model that answers where a channel chose no other; `None` until it is loaded."""
        return self._engine.model

    @property
    def model_names(self) -> tuple[str, ...]:
        """What the models are called, the default's first; empty where there is only one."""
        return self._engine.names

    async def preset_names(self, locale: str, place: ChannelPlace | None = None) -> list[str]:
        """See `Core.preset_names`."""
        presets = self._presets
        if place is None:
            return presets.names(locale)
        with suppress(StoreFailed):  # then those that are everywhere
            presets = presets.with_own((await self._store.channels.settings(*place)).presets)
        return presets.names(locale, place[2])

    @property
    def reads_pictures(self) -> bool:
        """See `Core.reads_pictures`."""
        return self._reads_pictures

    @property
    def load_progress(self) -> LoadProgress | None:
        """How far the load of the model is; `None` once it is done."""
        return self._engine.load_progress

    async def loaded(self) -> ModelInfo:
        """Wait for the model. Raises: ModelUnavailable: the process is about to end."""
        return await self._engine.loaded()

    @property
    def num_in_flight(self) -> int:
        """How many questions are claimed, or about to be, and not ended."""
        return self._questions.count

    def ask(
        self,
        message: IncomingMessage,
        exchange: Exchange,
        *,
        failure: UserFacingError | None = None,
    ) -> asyncio.Task[bool]:
        """See `Core.ask`, and `_answer`. Raises: ShuttingDown."""
        if self._draining:
            raise ShuttingDown
        return self._spawn(message, exchange, partial(self._answer, failure=failure))

    async def may_ask(self, thread: ThreadKey, author: Author) -> str | None:
        """See `Core.may_ask`."""
        if not self.access.allows(thread, author):
            return "not_allowed"
        people = await self._store.channels.people(thread.platform, thread.team, thread.channel)
        is_named = not people or author.id in people
        if is_named or self.access.is_admin(thread.platform, author.id):
            return None
        return "not_allowed_in_channel"

    async def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest version of a question, in flight or ended; `None`: none, or a forgotten one.

        It may not be claimed yet.
        """
        return self._questions.latest(key) or await self._ledger.latest(key)

    async def revise(
        self, message: IncomingMessage, exchange: Exchange
    ) -> asyncio.Task[bool] | None:
        """Answer an edited question in its existing reply; earlier versions in flight stop.

        `None` when there is nothing to do: it was never a question, it is no longer its thread's
        last, or this version or a later one is known. Raises: ShuttingDown,
        StoreFailed.
        """
        await self._ledger.catch_up()
        last = await self._store.inbox.last_of_thread(message.thread)
        if in_flight := self._questions.of_thread(message.thread):
            last = in_flight[-1].message.key
        latest = await self.latest(message.key)
        if latest is None or last != message.key or message.edited_at <= latest.edited_at:
            return None
        revised = replace(message, revision=latest.revision + 1)
        self._questions.supersede(revised)
        outcomes.ANEW.add(message.key.platform, "edited")
        return self.ask(revised, exchange)

    async def ask_again(
        self, key: MessageKey, exchange_for: Callable[[IncomingMessage], Exchange], *, by: str
    ) -> asyncio.Task[bool] | None:
        """Answer a question once more in its existing reply; `by`: the person who wants it.

        `None` when it is unknown, or still being answered. Raises: ShuttingDown, StoreFailed.
        """
        await self._ledger.catch_up()
        latest = await self._ledger.latest(key)
        if latest is None:
            return None
        turn = await self._store.turn(latest)
        has_answer = turn is not None and turn.outcome is not None
        if self._questions.latest(key) is not None:
            if not has_answer:
                return None
        elif not await has_ended_elsewhere(self._store, latest, is_delivered_soon=has_answer):
            return None
        message = replace(asked_again(latest, turn), asked_by=by)
        outcomes.ANEW.add(key.platform, "asked_again")
        return self.ask(message, exchange_for(message))

    async def recorded(self, key: MessageKey) -> bool:
        """See `Core.recorded`."""
        return await self._questions.wait_until_recorded(key)

    async def stop(self, key: MessageKey) -> bool:
        """See `Core.stop`."""
        is_here = self._questions.stop(key)
        return await self._ledger.stop(key) or is_here

    async def first_in_flight(self, thread: ThreadKey) -> MessageKey | None:
        """See `Core.first_in_flight`."""
        found = [question.message.key for question in self._questions.of_thread(thread)]
        if self._store.lease.is_shared:
            with suppress(StoreFailed):
                unfinished = await self._store.inbox.unfinished_of(thread)
                found = [*(message.key for message in unfinished), *found]
        return found[0] if found else None

    def resume(self, message: IncomingMessage, exchange: Exchange) -> asyncio.Task[bool]:
        """Resume, in a task, a question that an earlier run claimed and did not end."""
        return self._spawn(message, exchange, self._resume)

    async def drain(self, timeout_s: float) -> None:
        """Refuse new questions, let those in flight end, and leave the rest to the next start."""
        self._draining = True
        await end_tasks(self._tasks, within_s=timeout_s)

    async def abandon(self) -> None:
        """Leave those in flight to other processes."""
        await end_tasks(self._tasks, within_s=0)

    # -- the life of a question ---------------------------------------------------------------

    async def _answer(
        self,
        question: InFlight,
        exchange: Exchange,
        ticket: Ticket,
        *,
        failure: UserFacingError | None,
    ) -> bool:
        """Answer a question; false when there was nothing to do.

        That is when it was claimed before, or its thread is being forgotten right now. If the
        store fails to claim it, the user gets a sentence; other copies of the message end silently.
        """
        message = question.message
        if not self._questions.accepts(message.thread):
            question.recorded()  # delivered again, it would come back after its erasure
            return False
        if self._questions.is_copy(question):
            return False
        # The claim then counts the first attempt as well; other processes may be before it.
        attempt_begun = ticket.is_called and not self._store.lease.is_shared
        try:
            claim = await self._ledger.claim(message, attempts=int(attempt_begun), failure=failure)
        except Exception as exc:  # noqa: BLE001 - whatever failed, the user is waiting
            await self._refusals.unclaimed(question, exchange, exc)
        else:
            if claim is None:
                question.recorded()
                return False
            question.claimed(attempt_begun=attempt_begun, reached=claim.reached)
            log.info("%s: a question is accepted", message.key.platform)
            await self._process(question, exchange, ticket)
        return True

    async def _resume(self, question: InFlight, exchange: Exchange, ticket: Ticket) -> bool:
        """Answer it, unless it was stopped right before its process ended."""
        log.info("%s: a question is resumed", question.message.key.platform)
        if await self._ledger.was_stopped(question.message):
            question.stop()
        return await self._process(question, exchange, ticket)

    async def _process(self, question: InFlight, exchange: Exchange, ticket: Ticket) -> bool:
        """From the claim to the final edit, which takes the question off the inbox."""
        question.recorded()
        exchange = fenced(exchange, self._store.lease)
        try:
            platform, asked_at = question.message.key.platform, question.arrived_at
            async with running_reply(exchange, platform=platform, asked_at=asked_at) as reply:
                if question.is_stopped:
                    ending = self._stopped(question, reply)
                elif question.reached is not None:
                    refused = self._refusals.beyond(question, exchange, ticket, question.reached)
                    ending = await self._run_to_ending(question, refused, reply)
                else:
                    answered = self._producer.answer(question, exchange, ticket, reply)
                    ending = await self._run_to_ending(question, answered, reply)
            if question.is_superseded:
                log.info("%s: a later version of the question takes its place", platform)
                return True  # the claim of its next version ends it, and nothing before that
            ending = replace(ending, spent=question.spent)
            outcome = outcome_of(ending.outcome, ending.reason)
            outcomes.QUESTIONS.add(platform, outcome)
            is_kept = await self._ledger.keep(question, ending)
            is_delivered = await reply.finish(ending)
            _log_end(question, ending, outcome, is_delivered=is_delivered)
            if is_delivered:
                await self._ledger.end(question, None if is_kept else ending)
            else:
                await self._ledger.undelivered(question, None if is_kept else ending)
        except asyncio.CancelledError:  # a shutdown
            if question.may_be_put_back:
                await self._ledger.put_back(question)
            raise
        return True

    async def _run_to_ending(
        self, question: InFlight, work: Coroutine[object, object, Ending], reply: Reply
    ) -> Ending:
        """Turn any outcome into an answer or a sentence; only a shutdown is raised."""
        try:
            return await question.run(work)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not question.is_stopped or (task is not None and task.cancelling()):
                raise
            return self._stopped(question, reply)
        except InferenceError as exc:
            log.warning("the engine refused: %s", type(exc).__name__)
            refusal = refusal_of(exc)
        except Exception as exc:  # noqa: BLE001 - every accepted question ends in a sentence
            if not isinstance(exc, UserFacingError):
                log.error("a question failed: %s", safe_traceback(exc))
            refusal = refusal_of(exc)
        outcomes.REFUSALS.add(question.message.key.platform, refusal.key)
        return Ending(
            outcome=Outcome.REFUSED,
            text=refusal.sentence(question.message.locale),
            receipt=question.receipt,
            may_pass=refusal.may_pass,
            reason=refusal.key,
        )

    def _stopped(self, question: InFlight, reply: Reply) -> Ending:
        note = say(question.message.locale, "ended_stopped")
        return Ending(
            outcome=Outcome.STOPPED,
            text=reply.text.strip(),
            receipt=replace(question.receipt, notes=(note,)),
        )

    # -- tasks --------------------------------------------------------------------------------

    def _spawn(
        self,
        message: IncomingMessage,
        exchange: Exchange,
        work: Callable[[InFlight, Exchange, Ticket], Coroutine[object, object, bool]],
    ) -> asyncio.Task[bool]:
        """Work on a question in a task; it is in flight, with a ticket, from this call on.

        An edit or a deletion may arrive before the task's first step.
        """
        held = ExitStack()
        ticket = held.enter_context(self._queues.ticket(message.thread, message.sent_at))
        question = held.enter_context(self._questions.tracked(message))

        async def run() -> bool:
            with held, about(message.log_id):
                return await work(question, exchange, ticket)

        task = asyncio.create_task(run(), name=f"answer-{message.key.platform}")
        self._tasks.add(task)
        task.add_done_callback(lambda _: held.close())  # it may end before its first step
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[bool]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            # A bug of ours that no handler caught: the question stays in the inbox.
            log.error("a question was left unfinished: %s", safe_traceback(exc))


def _log_end(question: InFlight, ending: Ending, outcome: str, *, is_delivered: bool) -> None:
    end = outcomes.in_words(
        question.message.key.platform,
        outcome,
        ending.spent,
        after_s=monotonic() - question.arrived_at,
        reason=ending.reason,
    )
    log.info("%s%s", end, "" if is_delivered else "; not delivered yet")
