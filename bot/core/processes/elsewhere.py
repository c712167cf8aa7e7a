"""What a process does here because it was asked for at another one."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

from bot.core.in_flight import InFlightQuestions
from bot.store import Signal
from bot.values.messages import MessageKey, ThreadKey
from inference.engine import Engine


class Elsewhere:
    """Follows the other processes' signals. Lives as long as the bot."""

    def __init__(self, questions: InFlightQuestions, engine: Engine) -> None:
        self._questions = questions
        self._engine = engine
        self._clearing: set[asyncio.Task[None]] = set()

    def follow(self, signal: Signal) -> None:
        """Do here what another process was asked for."""
        match signal["do"]:
            case "stop":
                self._questions.stop_here(key_of(signal))
            case "supersede":
                self._supersede(key_of(signal), int(signal["revision"]))
            case "stop thread":
                for question in self._questions.of_thread(thread_of(signal)):
                    question.stop()
            case "stop author":
                whose = (signal["platform"], signal["team"], signal["author"])
                for question in self._questions.of_author(*whose):
                    question.stop()
            case "clear" | "missed":  # what was missed may have been an erasure
                task = asyncio.create_task(self._clear_caches())
                self._clearing.add(task)
                task.add_done_callback(self._clearing.discard)

    def _supersede(self, key: MessageKey, revision: int) -> None:
        for question in self._questions.of_message(key):
            if question.message.revision < revision:
                question.superseded_by(replace(question.message, revision=revision))

    async def _clear_caches(self) -> None:
        """Clear them once the questions that were stopped before have left nothing there."""
        stopped = [question for question in self._questions.all if question.is_stopped]
        for question in stopped:
            await question.wait_until_ended()
        await self._engine.clear_caches()


def key_of(signal: Signal) -> MessageKey:
    """The question that a signal names."""
    return MessageKey(**{field.name: str(signal[field.name]) for field in fields(MessageKey)})


def thread_of(signal: Signal) -> ThreadKey:
    """The thread that a signal names."""
    return ThreadKey(**{field.name: str(signal[field.name]) for field in fields(ThreadKey)})
