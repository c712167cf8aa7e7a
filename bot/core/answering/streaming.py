"""The model's answer, streamed into a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from bot.core.answering.meter import Meter
from bot.core.reply import Reply
from bot.values.cleaning import StreamCleaner, is_unseen
from bot.values.messages import Stage, Status
from inference.engine import Engine
from inference.errors import EngineDead
from inference.types import Finished, GenerationRequest, Queued, Started, TextDelta


async def stream_answer(
    engine: Engine,
    request: GenerationRequest,
    reply: Reply,
    meter: Meter,
    *,
    timeout_s: float,
    on_place: Callable[[Queued | Started], Awaitable[None]],
) -> Finished | None:
    """Show the answer as it is generated. Returns: `None`: its time was over before its end.

    Args:
        engine: generates it.
        request: what is asked.
        reply: where it is shown.
        meter: counts what it costs.
        timeout_s: from the device starting on it.
        on_place: waited for when its place in the engine's queue changes.

    Raises: InferenceError.
    """
    try:
        async with asyncio.timeout(None) as clock:
            return await _stream(engine, request, reply, meter, clock, timeout_s, on_place)
    except TimeoutError:
        if not clock.expired():
            raise
        return None


async def _stream(
    engine: Engine,
    request: GenerationRequest,
    reply: Reply,
    meter: Meter,
    clock: asyncio.Timeout,
    timeout_s: float,
    on_place: Callable[[Queued | Started], Awaitable[None]],
) -> Finished:
    unseen = ""  # the reply starts with the first character that can be seen
    cleaner = StreamCleaner()
    # aclosing: when a question is stopped, or its time is over, the device must be free at once.
    async with aclosing(engine.stream(request)) as events:
        async for event in events:
            reply.submitted()
            meter.saw(event)
            match event:
                case Queued(position):
                    reply.status(Status(Stage.QUEUED, position))
                    await on_place(event)
                case Started():
                    clock.reschedule(asyncio.get_running_loop().time() + timeout_s)
                    reply.status(Status(Stage.READING))
                    await on_place(event)
                case TextDelta(text):
                    text = cleaner.push(text)
                    if not reply.text:
                        text = unseen = (unseen + text).lstrip()
                        if is_unseen(text):
                            continue
                        reply.status(Status(Stage.ANSWERING))
                    reply.append(text)
                case Finished():
                    return event
    raise EngineDead("the stream ended without an end")
