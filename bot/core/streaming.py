"""The model's answer, streamed into a reply."""

from __future__ import annotations

from contextlib import aclosing

from bot.core.reply import Reply
from bot.values.cleaning import clean, is_unseen
from bot.values.messages import Stage, Status
from inference.engine import Engine
from inference.errors import EngineDead
from inference.types import Finished, GenerationRequest, Queued, Started, TextDelta


async def stream_answer(engine: Engine, request: GenerationRequest, reply: Reply) -> Finished:
    """Show the answer as it is generated. Raises: InferenceError."""
    unseen = ""  # the reply starts with the first character that can be seen
    # aclosing: when a question is stopped, the device must be free at once.
    async with aclosing(engine.stream(request)) as events:
        async for event in events:
            reply.submitted()
            match event:
                case Queued(position):
                    reply.status(Status(Stage.QUEUED, position))
                case Started():
                    reply.status(Status(Stage.READING))
                case TextDelta(text):
                    text = clean(text)
                    if not reply.text:
                        text = unseen = (unseen + text).lstrip()
                        if is_unseen(text):
                            continue
                        reply.status(Status(Stage.ANSWERING))
                    reply.append(text)
                case Finished():
                    return event
    raise EngineDead("the stream ended without an end")
