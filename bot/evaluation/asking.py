"""Asks a model many questions, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from bot.errors import CommandFailed, PictureRefused
from bot.evaluation.questions import Answer, Asked, Question
from bot.images.decoding.pool import DecodingPool
from bot.images.normalise import check_size
from bot.values.cleaning import clean
from inference.engine import Engine
from inference.errors import EngineDead, GenerationFailed, RequestRejected
from inference.types import (
    Finished,
    GenerationRequest,
    Message,
    Picture,
    Role,
    Sampling,
    TextDelta,
)

LOCALE = "en"
"""Of the reasons in a file of answers."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who answers, and how."""

    engine: Engine
    decoding: DecodingPool
    sampling: Sampling

    async def ask_all(
        self,
        questions: Sequence[Question],
        *,
        at_once: int,
        answered: Callable[[Question, Answer], None],
    ) -> None:
        """Ask all of them in order, `at_once` at a time; `answered` is called in a thread.

        Raises:
            EngineDead: the others are not asked.
            CommandFailed: an answer could not be kept.
        """
        waiting = iter(questions)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(at_once, len(questions))):
                    group.create_task(self._ask_each(waiting, answered))
        except* (EngineDead, CommandFailed) as exc:
            raise exc.exceptions[0] from None

    async def _ask_each(
        self, waiting: Iterator[Question], answered: Callable[[Question, Answer], None]
    ) -> None:
        for question in waiting:
            answer = await self._answer(question)
            await asyncio.to_thread(answered, question, answer)

    async def _answer(self, question: Question) -> Answer:
        try:
            messages = await self._messages(question)
        except PictureRefused as exc:
            return Answer(error=exc.sentence(LOCALE))
        except OSError as exc:
            return Answer(error=f"a picture cannot be read: {exc.strerror}")
        return await answer_to(self.engine, messages, self.sampling, thread=question.id)

    async def _messages(self, question: Question) -> tuple[Message, ...]:
        """Raises: PictureRefused, OSError."""
        messages: list[Message] = []
        if question.system:
            messages.append(Message(role=Role.SYSTEM, text=clean(question.system)))
        for turn in (*question.before, question.asked):
            messages.append(await self._message(turn))
            if turn.answer:
                messages.append(Message(role=Role.ASSISTANT, text=clean(turn.answer)))
        return tuple(messages)

    async def _message(self, turn: Asked) -> Message:
        pictures = tuple([await self._picture(path) for path in turn.pictures])
        return Message(role=Role.USER, text=clean(turn.text), pictures=pictures)

    async def _picture(self, path: Path) -> Picture:
        data = await asyncio.to_thread(self._read, path)
        return (await self.decoding.decode(path.name, data)).picture

    def _read(self, path: Path) -> bytes:
        check_size(path.name, path.stat().st_size, self.decoding.limits)
        return path.read_bytes()


async def answer_to(
    engine: Engine, messages: tuple[Message, ...], sampling: Sampling, *, thread: str
) -> Answer:
    """Have a conversation answered; what fails is said in the answer. Raises: EngineDead."""
    model = await engine.loaded()
    if model.needs_picture and not any(message.pictures for message in messages):
        return Answer(error="the model needs a picture")
    request = GenerationRequest(messages=messages, sampling=sampling, thread=thread)
    text, finished = "", None
    try:
        async with aclosing(engine.stream(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, Finished):
                    finished = event
    except (RequestRejected, GenerationFailed) as exc:
        return Answer(error=str(exc))
    if finished is None:
        return Answer(error="the answer did not end")
    return Answer(
        text=text.strip(),
        first_token_s=finished.first_token_s,
        total_s=finished.total_s,
        new_tokens=finished.new_tokens,
    )
