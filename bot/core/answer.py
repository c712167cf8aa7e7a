"""The use case. Read this file first.

A question goes: claim → access → pictures → conversation → generate → reply. It ends in an answer
or in a sentence; a crash anywhere leaves it in the inbox, and the next start takes it up again.
Neither end needs a store that works: what cannot be written is told all the same (`Ledger`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, aclosing
from dataclasses import replace

from bot.core.access import Access
from bot.core.answer_options import AnswerOptions
from bot.core.attachments import Attachments
from bot.core.conversation import Conversation, fit_to_context
from bot.core.in_flight import InFlight, InFlightQuestions
from bot.core.ledger import Ledger
from bot.core.receipts import receipt_of, with_notes
from bot.core.reply import Reply, running_reply
from bot.core.thread_queues import ThreadQueues, Ticket
from bot.core.turns import Turns, asked_again
from bot.errors import Busy, UserFacingError, to_user_facing
from bot.store import Store, StoreFailed, Turn
from bot.texts import say
from bot.values.cleaning import clean, is_unseen
from bot.values.messages import (
    Author,
    Ending,
    Exchange,
    IncomingMessage,
    MessageKey,
    Outcome,
    Receipt,
    Stage,
    Status,
    ThreadKey,
)
from inference.engine import Engine
from inference.errors import EngineDead, InferenceError, safe_traceback
from inference.types import (
    Finished,
    GenerationRequest,
    ModelInfo,
    Queued,
    Sampling,
    Started,
    TextDelta,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""A question that ended the process so often is given up, with a sentence."""


class Answers:
    """Answers questions, and knows which are under way. Lives as long as the bot."""

    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        attachments: Attachments,
        access: Access,
        options: AnswerOptions,
        questions: InFlightQuestions,
    ) -> None:
        self._store = store
        self._engine = engine
        self._turns = Turns(store, attachments, engine.model)
        self._ledger = Ledger(store, self._turns)
        self._access = access
        self._options = options
        self._queues = ThreadQueues()
        self._questions = questions
        self._tasks: set[asyncio.Task[bool]] = set()
        self._draining = False

    # -- what adapters call -------------------------------------------------------------------

    @property
    def model(self) -> ModelInfo:
        """The model that answers."""
        return self._engine.model

    @property
    def num_in_flight(self) -> int:
        """How many questions are claimed, or about to be, and not ended."""
        return self._questions.count

    def ask(self, message: IncomingMessage, exchange: Exchange) -> asyncio.Task[bool]:
        """Answer a question in a task of its own; see `_answer`. Raises: Busy (shutting down)."""
        if self._draining:
            raise Busy("shutting_down")
        return self._spawn(message, exchange, self._answer)

    async def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest version of a question, under way or ended; `None`: it is none, or forgotten.

        It may be on its way to its claim.
        """
        return self._questions.latest(key) or await self._ledger.latest(key)

    async def revise(
        self, message: IncomingMessage, exchange: Exchange
    ) -> asyncio.Task[bool] | None:
        """Answer an edited question in the reply it has; what is under way for it stops.

        `None` when there is nothing to do: it was never a question, it is not its thread's last
        any more, or this version or a later one is known. Raises: Busy (shutting down),
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
        return self.ask(revised, exchange)

    async def ask_again(
        self, key: MessageKey, exchange_for: Callable[[IncomingMessage], Exchange]
    ) -> asyncio.Task[bool] | None:
        """Answer a question once more in the reply it has.

        `None` when it is unknown, or being answered at this moment. Raises: Busy, StoreFailed.
        """
        await self._ledger.catch_up()
        latest = await self._ledger.latest(key)
        if latest is None:
            return None
        turn = await self._store.turn(latest)
        has_answer = turn is not None and turn.outcome is not None
        if self._questions.latest(key) is not None and not has_answer:
            return None
        message = asked_again(latest, turn)
        return self.ask(message, exchange_for(message))

    def stop(self, key: MessageKey) -> bool:
        """Stop a question, waiting or running; false when it is not under way."""
        return self._questions.stop(key)

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether this person may ask in this place at all."""
        return self._access.allows(thread, author)

    def first_in_flight(self, thread: ThreadKey) -> MessageKey | None:
        """The thread's first question that has not ended."""
        found = self._questions.of_thread(thread)
        return found[0].message.key if found else None

    def resume(self, message: IncomingMessage, exchange: Exchange) -> asyncio.Task[bool]:
        """Take up, in a task, a question that an earlier run has claimed and not ended."""
        return self._spawn(message, exchange, self._process)

    async def drain(self, timeout_s: float) -> None:
        """Take no more questions; let those under way end, and leave the rest to the next start."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- the way of a question ----------------------------------------------------------------

    async def _answer(self, question: InFlight, exchange: Exchange, ticket: Ticket) -> bool:
        """Answer a question; false when it has been claimed before, and nothing was done.

        So it is, too, when its thread is being forgotten at this moment. Where the store does not
        take the claim, the asker is told so; every other copy of the message ends in silence.
        """
        message = question.message
        if not self._questions.accepts(message.thread) or self._questions.is_copy(question):
            return False
        attempt_begun = ticket.is_called  # then the claim counts the first attempt, too
        try:
            if not await self._ledger.claim(message, attempts=int(attempt_begun)):
                return False
        except Exception as exc:  # noqa: BLE001 - whatever it is, the asker is waiting
            await self._refuse_unclaimed(question, exchange, exc)
        else:
            question.claimed(attempt_begun=attempt_begun)
            await self._process(question, exchange, ticket)
        return True

    async def _refuse_unclaimed(
        self, question: InFlight, exchange: Exchange, failure: Exception
    ) -> None:
        """Nothing is written down, so nothing is begun: the asker is told, from memory alone."""
        if not isinstance(failure, StoreFailed):
            log.error("a question could not be claimed: %s", safe_traceback(failure))
        message = question.message
        try:
            # For the asker's language and name. As if asked again: its pictures are not needed.
            completed = await exchange.complete(replace(message, again=True))
            message = replace(completed, again=message.again)
            question.completed(message)
        except Exception as exc:  # noqa: BLE001 - then in the language that the message came with
            log.warning("an asker's language could not be asked for: %s", safe_traceback(exc))
        refusal = _refusal(failure)
        ending = Ending(
            outcome=Outcome.REFUSED,
            text=refusal.sentence(message.locale),
            receipt=Receipt(),
            claimed=False,
        )
        self._ledger.refuse(question, ending)
        await Reply(exchange).finish(ending)

    async def _process(self, question: InFlight, exchange: Exchange, ticket: Ticket) -> bool:
        """From the claim to the last edit; only then is the question off the inbox."""
        try:
            async with running_reply(exchange) as reply:
                if question.is_stopped:
                    ending = self._stopped(question, reply)
                else:
                    ending = await self._run_to_ending(question, exchange, ticket, reply)
            if question.is_superseded:
                await self._ledger.end(question)
                return True
            is_kept = await self._ledger.keep(question, ending)
            if await reply.finish(ending):
                await self._ledger.end(question, None if is_kept else ending)
            elif not is_kept:
                self._ledger.keep_late(question, ending)
            # Not delivered, it stays in the inbox, and the next start delivers it.
        except asyncio.CancelledError:  # a shutdown
            if question.is_attempted:
                await self._ledger.put_back(question)
            raise
        return True

    async def _run_to_ending(
        self,
        question: InFlight,
        exchange: Exchange,
        ticket: Ticket,
        reply: Reply,
    ) -> Ending:
        """Whatever happens becomes an answer or a sentence; only a shutdown goes through."""
        reply.status(Status(Stage.QUEUED))
        try:
            return await question.run(self._produce_answer(question, exchange, ticket, reply))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not question.is_stopped or (task is not None and task.cancelling()):
                raise
            return self._stopped(question, reply)
        except InferenceError as exc:
            log.warning("the engine refused: %s", type(exc).__name__)
            refusal = _refusal(exc)
        except Exception as exc:  # noqa: BLE001 - every accepted question ends in a sentence
            if not isinstance(exc, UserFacingError):
                log.error("a question failed: %s", safe_traceback(exc))
            refusal = _refusal(exc)
        return Ending(
            outcome=Outcome.REFUSED,
            text=refusal.sentence(question.message.locale),
            receipt=question.receipt,
        )

    def _stopped(self, question: InFlight, reply: Reply) -> Ending:
        note = say(question.message.locale, "ended_stopped")
        return Ending(
            outcome=Outcome.STOPPED,
            text=reply.text.strip(),
            receipt=replace(question.receipt, notes=(note,)),
        )

    async def _produce_answer(
        self, question: InFlight, exchange: Exchange, ticket: Ticket, reply: Reply
    ) -> Ending:
        message = await exchange.complete(question.message)
        question.completed(message)
        with self._access.admitted(message.user):
            await ticket.wait_for_turn()
            await self._count_attempt(question)
            reply.status(Status(Stage.READING))
            turn = None if question.is_new else await self._store.turn(message)
            if turn is None:
                await self._turns.open(question, exchange)
            elif turn.outcome is not None:
                # The process died between the answer and its delivery.
                return Ending(
                    outcome=turn.outcome,
                    text=turn.answer or "",
                    receipt=turn.receipt,
                )
            thread = message.thread
            await self._ledger.catch_up()  # an earlier answer of this thread may be among it
            turns, channel = await asyncio.gather(
                self._turns.history_up_to(message),
                self._store.channels.settings(thread.platform, thread.team, thread.channel),
            )
            sampling = self._options.sampling(self.model.sampling, again=message.again)
            conversation = await self._conversation(
                turns, sampling, channel.system_prompt or self._options.system_prompt
            )
            question.receipt_known(receipt_of(message.locale, self.model, turns[-1], conversation))
            finished = await self._generate(message, conversation, sampling, reply)
        text = reply.text.strip()
        if not text:
            raise UserFacingError("empty_answer")
        return Ending(
            outcome=Outcome.ANSWERED,
            text=text,
            receipt=with_notes(message.locale, question.receipt, finished.reason, channel.note),
            timings={"first_token_s": finished.first_token_s, "total_s": finished.total_s},
        )

    async def _count_attempt(self, question: InFlight) -> None:
        """Written down before the work: what ends the process must not do so for ever."""
        if question.is_attempted:
            return  # with the claim
        attempts = await self._store.inbox.begin_attempt(question.message)
        question.attempt_begun()
        if attempts > MAX_ATTEMPTS:
            raise UserFacingError("gave_up", attempts=MAX_ATTEMPTS)

    async def _conversation(
        self, turns: tuple[Turn, ...], sampling: Sampling, system_prompt: str | None
    ) -> Conversation:
        model = self._engine.model
        conversation = await fit_to_context(
            turns,
            model=model,
            reserve_tokens=min(sampling.max_new_tokens, model.context_tokens // 4),
            system_prompt=system_prompt,
            count_tokens=self._engine.prompt_tokens,
            read_picture=self._store.read_picture,
        )
        if model.needs_picture and not conversation.pictures:
            raise UserFacingError("needs_picture")
        return conversation

    async def _generate(
        self,
        message: IncomingMessage,
        conversation: Conversation,
        sampling: Sampling,
        reply: Reply,
    ) -> Finished:
        request = GenerationRequest(
            messages=conversation.messages,
            sampling=sampling,
            asker=message.user.id_everywhere,
            thread=message.thread.id_everywhere,
        )
        unseen = ""  # nothing is shown before there is something to see
        # aclosing: an asker who stops must free the device now.
        async with aclosing(self._engine.stream(request)) as chunks:
            async for chunk in chunks:
                reply.submitted()
                match chunk:
                    case Queued(position):
                        reply.status(Status(Stage.QUEUED, position))
                    case Started():
                        reply.status(Status(Stage.READING))
                    case TextDelta(text):
                        text = clean(text)
                        if not reply.text:
                            text = unseen = (unseen + text).lstrip()
                            if is_unseen(text):
                                continue
                            reply.status(Status(Stage.ANSWERING))
                        reply.append(text)
                    case Finished():
                        return chunk
        raise EngineDead("the stream ended without an end")

    # -- tasks --------------------------------------------------------------------------------

    def _spawn(
        self,
        message: IncomingMessage,
        exchange: Exchange,
        work: Callable[[InFlight, Exchange, Ticket], Coroutine[object, object, bool]],
    ) -> asyncio.Task[bool]:
        """Work on a question in a task; it is in flight, in its thread's order, from this call on.

        Between the call and the task's first step may come an edit or a deletion of the question.
        """
        held = ExitStack()
        ticket = held.enter_context(self._queues.ticket(message.thread, message.sent_at))
        question = held.enter_context(self._questions.tracked(message))

        async def run() -> bool:
            with held:
                return await work(question, exchange, ticket)

        task = asyncio.create_task(run(), name=f"answer-{message.key.platform}")
        self._tasks.add(task)
        task.add_done_callback(lambda _: held.close())  # it may end before its first step
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[bool]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            # A fault of ours beside every way out: the question stays in the inbox.
            log.error("a question was left unfinished: %s", safe_traceback(exc))


def _refusal(exc: Exception) -> UserFacingError:
    """What the asker is told."""
    match exc:
        case UserFacingError():
            return exc
        case InferenceError():
            return to_user_facing(exc)
        case _:
            return UserFacingError("something_broke")
