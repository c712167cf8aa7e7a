"""Engines over local servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from inference.remote.connecting import RemoteModel
from inference.remote.engine import RemoteEngine
from inference.remote.options import ServerOptions
from inference.serving.load_state import LoadState
from inference.types import (
    Finished,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelSpec,
    Picture,
    Role,
    Sampling,
    TextDelta,
)
from tests.servers.openai.server import OpenAIServer

PICTURE = Picture(digest="a" * 64, data=b"\x89PNG of a square", width_px=640, height_px=480)


@asynccontextmanager
async def connected(
    *servers: OpenAIServer,
    model: str = "tiny",
    max_waiting: int = 32,
    spec: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[RemoteEngine]:
    """The engine of a model that these servers run."""
    name = f"openai:{','.join(server.address for server in servers)}#{model}"
    remote = RemoteModel(
        spec=ModelSpec(name=name, **(spec or {})),
        options=ServerOptions(**({"probe_every_s": 0.02, "figures_every_s": 0.02} | options)),
        patience_s=0,
    )
    async with remote.running(LoadState(), max_waiting=max_waiting) as engine:
        yield engine


def request(
    text: str = "What is this?",
    *,
    pictures: tuple[Picture, ...] = (PICTURE,),
    thread: str = "thread",
    user_id: str = "alice",
    **sampling: Any,
) -> GenerationRequest:
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=text, pictures=pictures),),
        sampling=Sampling(**sampling),
        user_id=user_id,
        thread=thread,
    )


async def events_of(engine: RemoteEngine, asked: GenerationRequest) -> list[GenerationEvent]:
    async with aclosing(engine.stream(asked)) as events:
        return [event async for event in events]


async def answer_of(engine: RemoteEngine, asked: GenerationRequest) -> tuple[str, Finished]:
    """The text, and how it ended."""
    events = await events_of(engine, asked)
    finished = events[-1]
    assert isinstance(finished, Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), finished
