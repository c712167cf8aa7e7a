"""Requests that carry a secret, and ways to make one of them fail."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inference.backends.load import load_model
from inference.progress import StreamProgress
from inference.prompts.answer_text import AnswerText
from inference.serving.backend import Backend
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import Worker, running_worker
from inference.types import (
    Finished,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelSpec,
    Role,
    Sampling,
    TextDelta,
)
from tests.pictures import plain_picture
from tests.stepper import Stepper

SECRET = "words of a question"


def asking(user_id: str, *, tokens: int = 12, picture: int | None = None) -> GenerationRequest:
    pictures = () if picture is None else (plain_picture((picture, 80, 200)),)
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=f"{SECRET} {user_id}", pictures=pictures),),
        sampling=Sampling(temperature=0.0, max_new_tokens=tokens),
        user_id=user_id,
    )


def load(path: Path, **options: Any) -> Backend:
    spec = ModelSpec(name=str(path), cache_tokens=5000, context_tokens=4096, **options)
    return load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))


@asynccontextmanager
async def serving(backend: Backend) -> AsyncIterator[Worker]:
    device = DeviceThread(lambda: backend)
    await asyncio.to_thread(device.__enter__)
    try:
        async with running_worker(device, max_waiting=20) as worker:
            yield worker
    finally:
        await asyncio.to_thread(device.__exit__, None, None, None)


async def answer_of(worker: Worker, request: GenerationRequest) -> tuple[str, Finished]:
    chunks: list[GenerationEvent] = []
    async with aclosing(worker.stream(request)) as stream:
        chunks = [chunk async for chunk in stream]
    assert isinstance(chunks[-1], Finished)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)), chunks[-1]


def fail_for(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, is_meant: Callable[..., bool]
) -> None:
    """Have a method raise where its arguments are those that are meant."""
    method = getattr(owner, name)

    def failing(*args: Any) -> Any:
        if is_meant(*args):
            raise ValueError(SECRET)
        return method(*args)

    monkeypatch.setattr(owner, name, failing)


def text_of(bench: Stepper, user_id: str) -> AnswerText:
    return next(
        answer.text
        for sequence, answer in bench.backend._requests.items()
        if sequence.user_id == user_id
    )


def make_push_fail(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    meant = text_of(bench, "bad")
    fail_for(monkeypatch, AnswerText, "push", lambda text, *_: text is meant)
