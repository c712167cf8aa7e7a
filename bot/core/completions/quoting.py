"""Text in a conversation's pictures, read and quoted for the model as in chats."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import replace
from itertools import count

from bot.core.answering import reading as in_chats
from bot.core.answering.pictured_text import is_needed, quoted
from bot.images.reading.pool import ReadingPool
from inference.types import Message, ModelInfo

Texts = dict[int, str]
"""By the picture's number in the conversation, from 1."""


async def texts_in(
    messages: tuple[Message, ...], model: ModelInfo, pool: ReadingPool, asker: Hashable
) -> Texts:
    """Read the pictures that the model needs read, the latest first, in the time that chats have.

    Those that could not be read, or not in time, are missing.
    """
    until = asyncio.get_running_loop().time() + in_chats.READ_WITHIN_S
    texts: Texts = {}
    pictures = [picture for message in messages for picture in message.pictures]
    for number, picture in reversed(list(enumerate(pictures, start=1))):
        reading = await pool.read(picture, asker=asker, until=until)
        if reading is not None and is_needed(model, reading, picture.width_px, picture.height_px):
            texts[number] = reading.text
    return texts


def with_texts(messages: tuple[Message, ...], texts: Texts, max_chars: int) -> tuple[Message, ...]:
    """The conversation with the text of its pictures before what is said about them.

    `max_chars`: of each picture.
    """
    numbers = count(1)
    return tuple(
        replace(
            message,
            text=quoted(
                {
                    number: texts.get(number, "")
                    for _, number in zip(message.pictures, numbers, strict=False)
                },
                {},
                max_chars,
            )
            + message.text,
        )
        for message in messages
    )
