"""A model that takes a step whenever the test releases one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import aclosing

from inference.serving.worker import Worker
from inference.types import (
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    Role,
    Sampling,
    TextDelta,
)
from tests.waiting import until

MODEL = ModelInfo(
    name="scripted",
    family="none",
    context_tokens=100,
    max_pictures=1,
    sampling=Sampling(),
    device="cpu",
    weights="none",
)


class ScriptedModel:
    """Takes a step whenever the test releases one; emits one word per step."""

    def __init__(self) -> None:
        self.model = MODEL
        self.steps = threading.Semaphore(0)
        self.steps_taken = 0
        self.threads: set[str] = set()
        self.asked: list[str] = []
        self.raises: BaseException | None = None

    def clear_caches(self) -> None: ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return sum(len(message.text) for message in messages)

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        self.threads.add(threading.current_thread().name)
        self.asked.append(request.messages[-1].text)
        reason = FinishReason.LENGTH
        for word in request.messages[-1].text.split():
            while not self.steps.acquire(timeout=0.01):
                if cancelled():
                    break
            if self.raises is not None:
                raise self.raises
            self.steps_taken += 1
            if cancelled():
                reason = FinishReason.ABORTED
                break
            on_text(word)
        return Finished(
            reason=reason, prompt_tokens=1, new_tokens=1, first_token_s=0.0, total_s=0.0
        )


async def held(worker: Worker, backend: ScriptedModel, requests: int = 1) -> None:
    """Wait until the worker has so many requests, and the device runs one of them."""
    await until(lambda: worker.load == requests and bool(backend.asked))


def ask(text: str) -> GenerationRequest:
    return GenerationRequest(messages=(Message(role=Role.USER, text=text),), sampling=Sampling())


async def collect(worker: Worker, text: str) -> list[GenerationEvent]:
    async with aclosing(worker.stream(ask(text))) as events:
        return [event async for event in events]


def text_of(events: list[GenerationEvent]) -> str:
    return " ".join(event.text for event in events if isinstance(event, TextDelta))
