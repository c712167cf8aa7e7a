"""Completes a conversation that somebody brings along whole. Nothing of it is stored.

Not a question of a chat: there is no thread, no receipt and no inbox. What it shares with the
questions is everything that is everybody's: the decoders, the queue, the device.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import PurePath
from time import monotonic
from typing import Any

from bot.core.answering.meter import Meter
from bot.core.answering.moving import told
from bot.core.answering.options import AnswerOptions
from bot.core.answering.pictured_text import MAX_QUOTED_CHARS
from bot.core.bounds.fair_gate import FairGate
from bot.core.completions.accounts import Accounts
from bot.core.completions.asked import AskedCompletion, AskedMessage
from bot.core.completions.quoting import Texts, texts_in, with_texts
from bot.core.conversation import MIN_QUOTED_CHARS
from bot.errors import Busy, OutOfTime, PictureRefused, UserFacingError, refusal_of
from bot.images.decoding.pool import DecodingPool
from bot.images.reading.pool import ReadingPool
from bot.values.cleaning import StreamCleaner, is_unseen
from bot.values.messages import Outcome
from bot.values.pictures import NormalisedPicture
from bot.values.usage import NOTHING_SPENT, Spent
from inference.about import current_question
from inference.engine import Engine, Engines
from inference.errors import ContextExceeded, EngineDead, TooManyPictures
from inference.types import (
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    Role,
    Sampling,
    Started,
    TextDelta,
)

PREPARED_AT_ONCE = 4
"""Conversations whose pictures are decoded or whose tokens are counted; chats have their own."""
PREPARED_PER_USER = 2

CHARACTERS_PER_TOKEN = 16
"""More text than this is not even counted: no tokenizer's tokens are so long on average."""


class Completions:
    """Lives as long as the bot."""

    def __init__(
        self,
        *,
        engine: Engines,
        decoding: DecodingPool,
        options: AnswerOptions,
        accounts: Accounts,
        readings: ReadingPool | None = None,
    ) -> None:
        """`options`: what a conversation that does not choose gets; its system prompt is not used.

        `accounts`: where what has ended is counted. `readings`: reads text in pictures; `None`: it
        is not read.
        """
        self._readings = readings
        self._engine = engine
        self._decoding = decoding
        self._options = options
        self.accounts = accounts
        self._preparing = FairGate(PREPARED_AT_ONCE, per_user=PREPARED_PER_USER)
        self._running: set[_Run] = set()
        self._none_runs = asyncio.Event()
        self._none_runs.set()
        self._draining = False

    @property
    def max_picture_bytes(self) -> int:
        """The largest file that is looked at."""
        return self._decoding.limits.max_bytes

    def models(self) -> dict[str, ModelInfo | None]:
        """Every model by what it is called; `None` until it is loaded.

        The only model has its own name, and "" before it is loaded.
        """
        names = self._engine.names
        if names:
            return {name: self._engine.of(name).model for name in names}
        model = self._engine.model
        return {"" if model is None else _known_as(model): model}

    async def drain(self, timeout_s: float) -> None:
        """Refuse new conversations, and let those that run end."""
        self._draining = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._none_runs.wait()
        except TimeoutError:
            return
        await self.accounts.written()

    async def stream(self, asked: AskedCompletion) -> AsyncGenerator[GenerationEvent, None]:
        """Complete a conversation: the engine's events, the text cleaned as in chats.

        Closing the generator stops the work. Wrap it in `contextlib.aclosing`.

        Raises:
            UserFacingError: with a sentence.
            InferenceError: see `Engine.stream`.
        """
        run, began_at = _Run(), monotonic()
        outcome, reason = Outcome.STOPPED, ""
        self._running.add(run)
        self._none_runs.clear()
        try:
            async with aclosing(self._complete(asked, run)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        outcome = Outcome.ANSWERED
                    yield event
        except Exception as exc:
            outcome, reason = Outcome.REFUSED, refusal_of(exc).key
            raise
        finally:
            self._running.discard(run)
            if not self._running:
                self._none_runs.set()
            self.accounts.ended(
                asked, outcome, reason=reason, spent=run.spent, after_s=monotonic() - began_at
            )

    async def _complete(
        self, asked: AskedCompletion, run: _Run
    ) -> AsyncGenerator[GenerationEvent, None]:
        if self._draining:
            raise Busy("shutting_down")
        engine = self._engine.of(asked.model)
        if engine.model is None:
            raise Busy("api_loading")
        model = await engine.admitted()  # a full queue costs no decoding
        async with self._preparing.turn(asked.user):
            given = await self._messages(asked, model)
        texts: Texts = {}
        if self._readings is not None:  # outside the gate: a page takes long
            texts = await texts_in(given, model, self._readings, asked.user)
        async with self._preparing.turn(asked.user):
            messages, prompt_tokens = await self._fitted(asked, given, texts, engine, model)
        request = GenerationRequest(
            messages=messages,
            sampling=self._sampling(asked, model),
            user_id=asked.user.id_everywhere,
            thread=_thread_of(asked, given),
            question=current_question(),
            stop=asked.stop,
            background=asked.background,
        )
        meter = Meter(
            run.spends, model=model.name, pictures=asked.num_pictures, prompt_tokens=prompt_tokens
        )
        async with aclosing(self._generate(engine, request, meter)) as events:
            async for event in events:
                yield event

    async def _messages(self, asked: AskedCompletion, model: ModelInfo) -> tuple[Message, ...]:
        """The conversation with its pictures decoded.

        Raises: UserFacingError, RequestRejected.
        """
        if asked.num_pictures > model.max_pictures:
            raise TooManyPictures(asked.num_pictures, model.max_pictures)
        if model.needs_picture and not asked.num_pictures:
            raise UserFacingError("needs_picture")
        characters = sum(len(message.text) for message in asked.messages)
        if characters > CHARACTERS_PER_TOKEN * model.context_tokens:
            raise ContextExceeded(characters // CHARACTERS_PER_TOKEN, model.context_tokens)
        decoded = [await self._pictures_of(message, asked) for message in asked.messages]
        return tuple(
            Message(
                role=message.role,
                text="".join(told(at, one.sheet, None) for at, one in enumerate(seen, start=1))
                + message.text,
                pictures=tuple(one.picture for one in seen),
            )
            for message, seen in zip(asked.messages, decoded, strict=True)
        )

    async def _fitted(
        self,
        asked: AskedCompletion,
        given: tuple[Message, ...],
        texts: Texts,
        engine: Engine,
        model: ModelInfo,
    ) -> tuple[tuple[Message, ...], int]:
        """The conversation as the model gets it, and its tokens.

        As much of its pictures' text is quoted as leaves room for the answer.

        Raises: UserFacingError, RequestRejected.
        """
        most = self._sampling(asked, model).max_new_tokens
        room = model.context_tokens - min(most, model.context_tokens // 4)
        chars = MAX_QUOTED_CHARS if texts else 0
        while True:
            messages = with_texts(given, texts, chars)
            tokens = await engine.prompt_tokens(messages)
            if not chars or tokens <= room:
                break
            chars = chars // 2 if chars > MIN_QUOTED_CHARS else 0
        if tokens >= model.context_tokens:
            raise ContextExceeded(tokens + 1, model.context_tokens)
        return messages, tokens

    async def _pictures_of(
        self, message: AskedMessage, asked: AskedCompletion
    ) -> tuple[NormalisedPicture, ...]:
        """Decode a message's pictures, one after the other. Raises: PictureRefused."""
        seen: list[NormalisedPicture] = []
        for number, file in enumerate(message.pictures, start=1):
            if not (data := file.take()):
                raise PictureRefused("picture_empty", name=f"picture {number}")
            seen.append(await self._decoding.decode(f"picture {number}", data, asker=asked.user))
            del data  # it has been decoded, and the next one may be as large
        return tuple(seen)

    def _sampling(self, asked: AskedCompletion, model: ModelInfo) -> Sampling:
        chosen: dict[str, Any] = {
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "top_k": asked.top_k,
            "max_new_tokens": asked.max_new_tokens,
            "seed": asked.seed,
        }
        defaults = self._options.sampling(model.sampling, again=False)
        return replace(defaults, **{k: value for k, value in chosen.items() if value is not None})

    async def _generate(
        self, engine: Engine, request: GenerationRequest, meter: Meter
    ) -> AsyncGenerator[GenerationEvent, None]:
        """The engine's events, for no longer than an answer may take from the device's start on."""
        loop = asyncio.get_running_loop()
        until: float | None = None
        words, pieces = _Words(), 0
        async with aclosing(engine.stream(request)) as events:
            while True:
                try:
                    async with asyncio.timeout_at(until) as clock:
                        event = await anext(events)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    if not clock.expired():
                        raise
                    yield await self._out_of_time(engine, request, pieces)
                    return
                meter.saw(event)
                match event:
                    case Started():
                        until = loop.time() + self._options.timeout_s
                        yield event
                    case TextDelta(text):
                        pieces += 1
                        if shown := words.push(text):
                            yield TextDelta(shown)
                        if until is not None and loop.time() > until:  # it never had to wait
                            yield await self._out_of_time(engine, request, pieces)
                            return
                    case Finished():
                        yield event
                        return
                    case _:
                        yield event
        raise EngineDead("the stream ended without an end")

    async def _out_of_time(
        self, engine: Engine, request: GenerationRequest, pieces: int
    ) -> Finished:
        """The end of an answer that took too long; the engine counts no more.

        Raises: OutOfTime: there is nothing of it.
        """
        if not pieces:
            raise OutOfTime(self._options.timeout_s)
        return Finished(
            reason=FinishReason.LENGTH,
            prompt_tokens=await engine.prompt_tokens(request.messages),
            new_tokens=pieces,
            first_token_s=0.0,
            total_s=self._options.timeout_s,
        )


class _Words:
    """An answer's text as it is shown: cleaned, from its first character that can be seen."""

    def __init__(self) -> None:
        self._cleaner = StreamCleaner()
        self._unseen: str | None = ""

    def push(self, text: str) -> str:
        """Take what was generated. Returns: what is shown of it."""
        text = self._cleaner.push(text)
        if self._unseen is None:
            return text
        text = self._unseen = (self._unseen + text).lstrip()
        if is_unseen(text):
            return ""
        self._unseen = None
        return text


class _Run:
    """A conversation that is being completed, and what it has cost so far."""

    def __init__(self) -> None:
        self.spent = NOTHING_SPENT

    def spends(self, spent: Spent) -> None:
        self.spent = spent


def _known_as(model: ModelInfo) -> str:
    """The name of a model that was given by its folder: where it lies is nobody's business."""
    is_folder = model.name.startswith((".", "~")) or PurePath(model.name).is_absolute()
    return PurePath(model.name).name if is_folder else model.name


def _thread_of(asked: AskedCompletion, messages: tuple[Message, ...]) -> str:
    """What stays the same as a conversation goes on: it stays on the device with its cache."""
    first = next(message for message in messages if message.role is Role.USER)
    begun = hashlib.sha256(first.text.encode("utf-8", "replace"))
    for picture in first.pictures:
        begun.update(picture.digest.encode())
    return f"{asked.user.id_everywhere}/{begun.hexdigest()[:32]}"
