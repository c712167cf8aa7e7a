"""What a process does here because it was asked for at another one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import fields, replace

from bot.core.in_flight import InFlightQuestions
from bot.images.reading.pool import ReadingPool
from bot.store import Inbox, Signal, StoreFailed
from bot.values.messages import MessageKey, ThreadKey
from inference.engine import Engine


class Elsewhere:
    """Follows the other processes' signals. Lives as long as the bot."""

    def __init__(
        self,
        questions: InFlightQuestions,
        engine: Engine,
        inbox: Inbox,
        readings: ReadingPool | None = None,
    ) -> None:
        """`readings`: what was read in pictures is kept there."""
        self._readings = readings
        self._inbox = inbox
        self._questions = questions
        self._engine = engine
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, signal: Signal) -> None:
        """Do here what another process was asked for."""
        match signal["do"]:
            case "stop":
                self._questions.stop(key_of(signal))
            case "supersede":
                self._supersede(key_of(signal), int(signal["revision"]))
            case "stop thread":
                for question in self._questions.of_thread(thread_of(signal)):
                    question.stop()
            case "stop author":
                whose = (signal["platform"], signal["team"], signal["author"])
                for question in self._questions.of_author(*whose):
                    question.stop()
            case "clear":
                self._run(self._clear_caches())
            case "missed":
                self._run(self._catch_up())

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _supersede(self, key: MessageKey, revision: int) -> None:
        for question in self._questions.of_message(key):
            if question.message.revision < revision:
                question.superseded_by(replace(question.message, revision=revision))

    async def _catch_up(self) -> None:
        """Do what may have been missed: stops, and erasures."""
        with contextlib.suppress(StoreFailed):
            for key in await self._inbox.stopped():
                self._questions.stop(key)
        await self._clear_caches()

    async def _clear_caches(self) -> None:
        """Clear them once the questions that were stopped before have left nothing there."""
        stopped = [question for question in self._questions.all if question.is_stopped]
        for question in stopped:
            await question.wait_until_ended()
        await self._engine.clear_caches()
        if self._readings is not None:
            self._readings.forget()


def key_of(signal: Signal) -> MessageKey:
    """The question that a signal names."""
    return MessageKey(**{field.name: str(signal[field.name]) for field in fields(MessageKey)})


def thread_of(signal: Signal) -> ThreadKey:
    """The thread that a signal names."""
    return ThreadKey(**{field.name: str(signal[field.name]) for field in fields(ThreadKey)})
