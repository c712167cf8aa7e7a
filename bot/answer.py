"""The use case. Read this file first.

A question goes: claim → access → pictures → conversation → generate → reply. It ends in an answer
or in a sentence; a crash anywhere leaves it in the inbox, and the next start takes it up again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from bot.access import Access
from bot.attachments import Attachments
from bot.conversation import Conversation, fit
from bot.errors import Busy, UserFacingError, in_words
from bot.lanes import Lanes, Place
from bot.messages import (
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
from bot.questions import Questions, UnderWay
from bot.receipts import receipt_of, with_reason
from bot.reply import Reply, running_reply
from bot.store import NewPicture, Store, Turn, TurnState
from bot.texts import say
from inference.engine import Engine
from inference.errors import EngineDead, InferenceError, trace_of
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

AGAIN_TEMPERATURE = 0.6
"""Asked again, a model that answers greedily must be allowed another answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """What the operator chooses; `None` leaves it to the model."""

    system_prompt: str | None = None
    temperature: float | None = None
    max_new_tokens: int | None = None


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
    ) -> None:
        self._store = store
        self._engine = engine
        self._attachments = attachments
        self._access = access
        self._options = options
        self._lanes = Lanes()
        self._questions = Questions()
        self._tasks: set[asyncio.Task[bool]] = set()
        self._forgetting: set[ThreadKey] = set()
        self._draining = False

    # -- what adapters call -------------------------------------------------------------------

    @property
    def model(self) -> ModelInfo:
        """The model that answers."""
        return self._engine.model

    def ask(self, message: IncomingMessage, exchange: Exchange) -> asyncio.Task[bool]:
        """Answer a question in a task of its own; see `answer`. Raises: Busy (shutting down)."""
        if self._draining:
            raise Busy("shutting_down")
        return self._spawn(message, self.answer(message, exchange))

    def stop(self, key: MessageKey) -> bool:
        """Stop a question, waiting or running; false when it is not under way."""
        return self._questions.stop(key)

    def under_way(self, thread: ThreadKey) -> MessageKey | None:
        """The thread's first question that has not ended."""
        found = self._questions.of_thread(thread)
        return found[0].message.key if found else None

    async def forget_thread(self, thread: ThreadKey) -> bool:
        """Stop what is under way in a thread and erase it; false when there is none."""
        self._forgetting.add(thread)
        try:
            await self._questions.stop_thread(thread)
            return await self._store.forget_thread(thread)
        finally:
            self._forgetting.discard(thread)

    def resume(self, message: IncomingMessage, exchange: Exchange) -> asyncio.Task[bool]:
        """Take up, in a task, a question that an earlier run has claimed and not ended."""
        return self._spawn(message, self._resume(message, exchange))

    async def drain(self, timeout_s: float) -> None:
        """Take no more questions; let those under way end, and leave the rest to the next start."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- the way of a question ----------------------------------------------------------------

    async def answer(self, message: IncomingMessage, exchange: Exchange) -> bool:
        """Answer a question; false when it has been claimed before, and nothing was done.

        So it is, too, when its thread is being forgotten at this moment.
        """
        with (
            self._lanes.place(message.thread) as place,
            self._questions.under_way(message) as under_way,
        ):
            if message.thread in self._forgetting or not await self._store.claim(message):
                return False
            await self._see_through(under_way, exchange, place)
        return True

    async def _resume(self, message: IncomingMessage, exchange: Exchange) -> bool:
        with (
            self._lanes.place(message.thread) as place,
            self._questions.under_way(message) as under_way,
        ):
            await self._see_through(under_way, exchange, place)
        return True

    async def _see_through(self, under_way: UnderWay, exchange: Exchange, place: Place) -> None:
        """From the claim to the last edit; only then is the question off the inbox."""
        message = under_way.message
        try:
            async with running_reply(exchange) as reply:
                ending = await self._ending(under_way, exchange, place, reply)
            await self._store.answer_turn(message, ending)
            await reply.finish(ending)
        except asyncio.CancelledError:  # a shutdown
            if under_way.attempted:
                await self._store.put_back(message)
            raise
        await self._store.end(message)

    async def _ending(
        self,
        under_way: UnderWay,
        exchange: Exchange,
        place: Place,
        reply: Reply,
    ) -> Ending:
        """Whatever happens becomes an answer or a sentence; only a shutdown goes through."""
        message = under_way.message
        if under_way.stopped.is_set():
            return await self._stopped(under_way, reply)
        try:
            under_way.work = asyncio.create_task(
                self._work(under_way, exchange, place, reply), name="work"
            )
            return await under_way.work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not under_way.stopped.is_set() or (task is not None and task.cancelling()):
                raise
            return await self._stopped(under_way, reply)
        except UserFacingError as exc:
            refusal = exc
        except InferenceError as exc:
            log.warning("the engine refused: %s", type(exc).__name__)
            refusal = in_words(exc)
        except Exception as exc:  # noqa: BLE001 - every accepted question ends in a sentence
            log.error("a question failed: %s", trace_of(exc))
            refusal = UserFacingError("something_broke")
        await self._make_sure_it_is_written_down(under_way)
        return Ending(
            outcome=Outcome.REFUSED,
            text=refusal.sentence(message.locale),
            receipt=under_way.receipt,
        )

    async def _stopped(self, under_way: UnderWay, reply: Reply) -> Ending:
        await self._make_sure_it_is_written_down(under_way)
        note = say(under_way.message.locale, "ended_stopped")
        return Ending(
            outcome=Outcome.STOPPED,
            text=reply.text.strip(),
            receipt=replace(under_way.receipt, notes=(note,)),
        )

    async def _make_sure_it_is_written_down(self, under_way: UnderWay) -> None:
        """A question that ended early stands in its thread all the same.

        Asked again, it stands there already, with the answer it had.
        """
        message = under_way.message
        if not message.again and await self._store.turn(message) is None:
            await self._store.begin_turn(
                message,
                question=message.text.strip(),
                new_pictures=(),
                receipt=under_way.receipt,
            )

    async def _work(
        self, under_way: UnderWay, exchange: Exchange, place: Place, reply: Reply
    ) -> Ending:
        message = under_way.message
        with self._access.admitted(message.author):
            await place.reached()
            attempts = await self._store.begin_attempt(message)
            under_way.attempted = True
            if attempts > MAX_ATTEMPTS:
                raise UserFacingError("gave_up", attempts=MAX_ATTEMPTS)
            reply.status(Status(Stage.READING))
            turn = await self._store.turn(message)
            if turn is None:
                await self._take_down(under_way, exchange)
            elif turn.state is not TurnState.PENDING:
                # The process died between the answer and its delivery.
                return Ending(
                    outcome=Outcome(turn.state.value),
                    text=turn.answer or "",
                    receipt=turn.receipt,
                )
            turns = await self._turns_up_to(message)
            sampling = self._sampling(message)
            conversation = await self._conversation(turns, sampling)
            under_way.receipt = receipt_of(message.locale, self.model, turns[-1], conversation)
            finished = await self._generate(conversation, sampling, reply)
        text = reply.text.strip()
        if not text:
            raise UserFacingError("empty_answer")
        return Ending(
            outcome=Outcome.ANSWERED,
            text=text,
            receipt=with_reason(message.locale, under_way.receipt, finished.reason),
            timings={"first_token_s": finished.first_token_s, "total_s": finished.total_s},
        )

    async def _take_down(self, under_way: UnderWay, exchange: Exchange) -> None:
        """Fetch the pictures and write the question down, so that a restart needs neither."""
        message = under_way.message
        if message.again:
            await self._take_down_again(message)
            return
        taken = await self._attachments.take(message.attachments, exchange.open)
        skipped = tuple(refusal.sentence(message.locale) for refusal in taken.refusals)
        if skipped and not taken.pictures:
            raise UserFacingError("no_picture_usable", reasons=" ".join(skipped))
        under_way.receipt = Receipt(skipped=skipped)
        await self._write_down(
            message,
            question=self._question(message, len(taken.pictures)),
            new_pictures=[
                NewPicture(
                    name=taken_picture.name,
                    picture=taken_picture.picture,
                    notes=taken_picture.notes_in(message.locale),
                )
                for taken_picture in taken.pictures
            ],
            receipt=under_way.receipt,
        )

    async def _write_down(
        self,
        message: IncomingMessage,
        *,
        question: str,
        new_pictures: Sequence[NewPicture],
        receipt: Receipt,
    ) -> None:
        begun = await self._store.begin_turn(
            message, question=question, new_pictures=new_pictures, receipt=receipt
        )
        if not begun:
            raise UserFacingError("thread_forgotten")

    async def _take_down_again(self, message: IncomingMessage) -> None:
        """The question stands in its thread already: its words and pictures stay."""
        turns = await self._turns_up_to(message)
        before = turns[-1]
        if message.attachments and not before.pictures:
            raise UserFacingError("pictures_needed_again")
        await self._write_down(
            message,
            question=before.question,
            new_pictures=(),
            receipt=Receipt(skipped=before.receipt.skipped),
        )

    def _question(self, message: IncomingMessage, num_pictures: int) -> str:
        """What was asked; a picture without words asks what is in it."""
        text = message.text.strip()
        if text:
            return text
        if not num_pictures:
            raise UserFacingError("empty_question")
        locale = "en" if "english_only" in self._engine.model.cannot else message.locale
        return say(locale, "default_question" if num_pictures < 2 else "default_question_several")

    async def _turns_up_to(self, message: IncomingMessage) -> tuple[Turn, ...]:
        turns = await self._store.turns(message.thread)
        for last, turn in enumerate(turns):
            if turn.message == message.key.message:
                return turns[: last + 1]
        raise UserFacingError("thread_forgotten")

    async def _conversation(self, turns: tuple[Turn, ...], sampling: Sampling) -> Conversation:
        model = self._engine.model
        conversation = await fit(
            turns,
            model=model,
            reserve_tokens=min(sampling.max_new_tokens, model.context_tokens // 4),
            system_prompt=self._options.system_prompt,
            count_tokens=self._engine.prompt_tokens,
            read_picture=self._store.read_picture,
        )
        if model.needs_picture and not conversation.pictures:
            raise UserFacingError("needs_picture")
        return conversation

    async def _generate(
        self, conversation: Conversation, sampling: Sampling, reply: Reply
    ) -> Finished:
        request = GenerationRequest(messages=conversation.messages, sampling=sampling)
        # aclosing: an asker who stops must free the device now.
        async with aclosing(self._engine.stream(request)) as chunks:
            async for chunk in chunks:
                match chunk:
                    case Queued(position):
                        reply.status(Status(Stage.QUEUED, position))
                    case Started():
                        reply.status(Status(Stage.READING))
                    case TextDelta(text):
                        if not reply.text:
                            reply.status(Status(Stage.ANSWERING))
                            text = text.lstrip()
                        reply.append(text)
                    case Finished():
                        return chunk
        raise EngineDead("the stream ended without an end")

    def _sampling(self, message: IncomingMessage) -> Sampling:
        sampling = self._engine.model.sampling
        if self._options.temperature is not None:
            sampling = replace(sampling, temperature=self._options.temperature)
        if self._options.max_new_tokens is not None:
            sampling = replace(sampling, max_new_tokens=self._options.max_new_tokens)
        if message.again:
            temperature = max(sampling.temperature, AGAIN_TEMPERATURE)
            sampling = replace(sampling, temperature=temperature)
        return sampling

    # -- tasks --------------------------------------------------------------------------------

    def _spawn(
        self, message: IncomingMessage, coroutine: Coroutine[object, object, bool]
    ) -> asyncio.Task[bool]:
        task = asyncio.create_task(coroutine, name=f"answer-{message.key.platform}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[bool]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            # The store itself failed: the question stays in the inbox for the next start.
            log.error("a question was left unfinished: %s", trace_of(exc))
