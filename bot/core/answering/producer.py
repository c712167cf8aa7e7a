"""Answers a claimed question: its pictures, its conversation, and what the model generates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from bot.core.answering.closer import Look, LooksOn, looks_on, notes_closer
from bot.core.answering.languages import in_its_language
from bot.core.answering.long_text import long_text
from bot.core.answering.meter import Meter
from bot.core.answering.options import AnswerOptions
from bot.core.answering.reading import (
    PictureTexts,
    is_text_given,
    note_read,
    note_unread,
    read_in_time,
    text_itself,
    without_texts_given,
)
from bot.core.answering.streaming import stream_answer
from bot.core.bounds.fair_gate import FairGate
from bot.core.conversation import Conversation, choose_pictures, fit_to_context
from bot.core.documents.files import file_notes, text_files
from bot.core.documents.notes import page_notes
from bot.core.in_flight import InFlight
from bot.core.ledger import Ledger
from bot.core.model_limits import notes_on
from bot.core.processes.order import wait_for_earlier
from bot.core.receipts import receipt_of, which_model, with_notes
from bot.core.reply import Reply
from bot.core.thread_queues import Ticket
from bot.core.turns import Turns
from bot.errors import UserFacingError
from bot.images.reading.pool import ReadingPool
from bot.store import Store, StoredPicture, StoreFailed, Turn
from bot.texts import duration
from bot.values.messages import Ending, Exchange, IncomingMessage, Outcome, Stage, Status
from bot.values.turns import ChannelSettings
from inference.engine import Engine, Engines
from inference.errors import ModelUnavailable
from inference.types import (
    Finished,
    GenerationRequest,
    ModelInfo,
    Queued,
    Sampling,
    Started,
)

PREPARED_AT_ONCE = 8
"""Questions whose pictures are fetched, or whose tokens are counted: it bounds their memory."""
PREPARED_PER_USER = 2

RUNS_NEXT = 1
"""The place in the engine's queue of the one that runs next; it has been taken up."""
MAX_ATTEMPTS = 3
"""After so many crashes of the process a question is given up, with a sentence."""


class AnswerProducer:
    """Lives as long as the bot."""

    def __init__(
        self,
        *,
        store: Store,
        engine: Engines,
        turns: Turns,
        ledger: Ledger,
        options: AnswerOptions,
        readings: ReadingPool | None = None,
    ) -> None:
        """`readings`: reads text in pictures; `None`: it is not read."""
        self._readings = readings
        self._store = store
        self._engine = engine
        self._turns = turns
        self._ledger = ledger
        self._options = options
        # Downloads, decoders and tokenizers are everybody's.
        self._preparing = FairGate(PREPARED_AT_ONCE, per_user=PREPARED_PER_USER)

    async def answer(
        self, question: InFlight, exchange: Exchange, ticket: Ticket, reply: Reply
    ) -> Ending:
        """Answer a claimed question. Raises: UserFacingError, InferenceError: a sentence says it.

        While it waits, `reply` says for what; `question` learns what the answer uses.
        """
        is_loading = self._engine.model is None and ticket.is_called
        reply.status(Status(Stage.LOADING if is_loading else Stage.QUEUED))
        message = await exchange.complete(question.message)
        question.completed(message)
        if question.is_new or not self._store.lease.is_shared:  # what was taken over comes first
            await ticket.wait_for_turn()
        await wait_for_earlier(self._store, message)
        thread = message.thread
        channel = await self._store.channels.settings(thread.platform, thread.team, thread.channel)
        presets = self._options.presets.with_own(channel.presets)
        engine = self._engine.of(channel.model)
        if not message.text.strip():
            # The default question is put in a language that the model understands.
            await self._model_for(question, reply, engine)
        await self._count_attempt(question)
        reply.status(Status(Stage.LOADING if engine.model is None else Stage.READING))
        wanted: Sequence[int] = ()
        turn = None if question.is_new else await self._store.turn(message)
        if turn is None:
            async with self._preparing.turn(message.user):
                if engine.model is not None:
                    await engine.admitted()  # a full queue costs no download
                wanted = await self._turns.open(question, exchange, engine.model)
        elif turn.outcome is not None:
            # The process ended after the answer was stored and before it was delivered.
            text = turn.answer or ""
            is_given = is_text_given(turn, self._options.presets)
            return Ending(
                outcome=turn.outcome,
                text=text,
                long=long_text(text, message.locale) if is_given else None,
                receipt=turn.receipt,
                may_pass=turn.may_pass,
            )
        if self._readings is not None and presets.asks_for_text(message.text):
            return await self._text_itself(message, self._readings)
        model = await self._model_for(question, reply, engine)
        await self._ledger.catch_up()  # it may hold an earlier answer of this thread
        sampling = self._options.sampling(model.sampling, again=message.again, channel=channel)
        texts = await self._texts(message, model, wanted)
        async with self._preparing.turn(message.user):
            turns = await self._turns.history_up_to(message)
            turns = without_texts_given(turns, self._options.presets)
            conversation = await self._conversation(
                turns, engine, model, sampling, channel, texts, wanted
            )
        question.receipt_known(receipt_of(message.locale, model, turns[-1], conversation))
        meter = Meter(
            question.spends,
            model=model.name,
            pictures=len(conversation.pictures),
            prompt_tokens=conversation.prompt_tokens,
        )
        finished = await self._generate(question, engine, conversation, sampling, reply, meter)
        text = reply.text.strip()
        timeout_s = self._options.timeout_s
        if not text:
            if finished is None:
                wait = duration(message.locale, timeout_s)
                raise UserFacingError("answer_timed_out", wait=wait)
            raise UserFacingError("empty_answer")
        return Ending(
            outcome=Outcome.ANSWERED,
            text=text,
            receipt=with_notes(
                message.locale,
                question.receipt,
                finished,
                (
                    note_read(message.locale, list(conversation.read)),
                    note_unread(message.locale, texts.unread if texts else []),
                    *file_notes(message.locale, model, conversation.files, message.text),
                    *notes_closer(message.locale, conversation.closer),
                    *page_notes(message.locale, conversation.pictures, turns[-1]),
                    *(texts.quotes_on(message.text, message.locale) if texts else ()),
                    *notes_on(
                        model,
                        message.text,
                        len(conversation.pictures),
                        message.locale,
                        reads_pictures=texts is not None,
                    ),
                    channel.note,
                    which_model(self._engine.names, channel.model, message.locale),
                ),
                timeout_s=timeout_s,
            ),
            timings={}
            if finished is None
            else {"first_token_s": finished.first_token_s, "total_s": finished.total_s},
        )

    async def _text_itself(self, message: IncomingMessage, readings: ReadingPool) -> Ending:
        """The text of the pictures as the answer: no model is asked, nor waited for."""
        await self._ledger.catch_up()
        turns = await self._turns.history_up_to(message)
        read_picture = self._store.read_picture
        return await text_itself(readings, turns, read_picture, message.locale, message.user)

    async def _texts(
        self, message: IncomingMessage, model: ModelInfo, wanted: Sequence[int]
    ) -> PictureTexts | None:
        """Read what the model will be shown, the latest first; `None` where nothing is read.

        Outside the gate: a page takes long, and others need not wait for it.
        """
        turns = await self._turns.history_up_to(message)
        shown, _ = choose_pictures(turns, model.max_pictures, wanted)
        readings, read_picture = self._readings, self._store.read_picture
        if readings is None and not any(one.page and one.page.text for one in shown):
            return None
        read = await read_in_time(readings, shown[::-1], read_picture, message.user)
        return PictureTexts(model, read, can_read=readings is not None)

    async def _model_for(self, question: InFlight, reply: Reply, engine: Engine) -> ModelInfo:
        """Wait for the model. If it cannot be loaded, the question is left to the next start.

        Waiting is no attempt: a process that ends during the load says nothing of the question.
        """
        if (model := engine.model) is not None:
            return model
        if question.may_be_put_back:
            await self._ledger.put_back(question)
        try:
            model = await engine.admitted()
        except ModelUnavailable:
            await asyncio.get_running_loop().create_future()  # until `drain`, which is near
            raise
        await self._count_attempt(question)
        reply.status(Status(Stage.READING))
        return model

    async def _count_attempt(self, question: InFlight) -> None:
        """Count before the work: a question that crashes the process must not do so forever."""
        if question.is_attempted:
            return  # the claim has counted it
        try:
            attempts = await self._store.inbox.begin_attempt(question.message)
        finally:
            question.attempt_begun()  # a cancellation takes effect once the store has counted
        if attempts > MAX_ATTEMPTS:
            raise UserFacingError("gave_up", attempts=MAX_ATTEMPTS)

    async def _conversation(
        self,
        turns: tuple[Turn, ...],
        engine: Engine,
        model: ModelInfo,
        sampling: Sampling,
        channel: ChannelSettings,
        texts: PictureTexts | None,
        wanted: Sequence[int],
    ) -> Conversation:
        presets = self._options.presets.with_own(channel.presets)
        conversation = await fit_to_context(
            turns,
            model=model,
            reserve_tokens=min(sampling.max_new_tokens, model.context_tokens // 4),
            system_prompt=channel.system_prompt or self._options.system_prompt,
            count_tokens=engine.prompt_tokens,
            read_picture=self._store.read_picture,
            put=lambda question: in_its_language(
                presets.prompt_of(question), model, channel.language
            ),
            text_for=None if texts is None else texts.text_for,
            wanted=wanted,
            files=await text_files(self._store, turns),
            parts=self._parts(model, texts),
        )
        if conversation.gone and not conversation.pictures:
            raise UserFacingError("pictures_gone", limit_gb=self._turns.max_kept_gb)
        if model.needs_picture and not conversation.pictures:
            raise UserFacingError("needs_picture")
        return conversation

    def _parts(self, model: ModelInfo, texts: PictureTexts | None) -> LooksOn | None:
        """Which parts of a picture a question is about; `None` where nobody looks closer."""
        if not self._options.looks_closer:
            return None
        presets = self._options.presets

        def parts(question: str, picture: StoredPicture) -> tuple[Look, ...]:
            reading = texts.reading_of(picture.number) if texts else None
            return looks_on(presets.prompt_of(question), picture, model, reading)

        return parts

    async def _generate(
        self,
        question: InFlight,
        engine: Engine,
        conversation: Conversation,
        sampling: Sampling,
        reply: Reply,
        meter: Meter,
    ) -> Finished | None:
        message = question.message

        async def on_place(place: Queued | Started) -> None:
            """One that only waits is not to blame for the end of the process."""
            if isinstance(place, Started):
                with contextlib.suppress(StoreFailed):  # then it goes uncounted
                    await self._count_attempt(question)
            elif place.position > RUNS_NEXT and question.may_be_put_back:
                await self._ledger.put_back(question)

        request = GenerationRequest(
            messages=conversation.messages,
            sampling=sampling,
            user_id=message.user.id_everywhere,
            thread=message.thread.id_everywhere,
            question=message.log_id,
        )
        return await stream_answer(
            engine, request, reply, meter, timeout_s=self._options.timeout_s, on_place=on_place
        )
