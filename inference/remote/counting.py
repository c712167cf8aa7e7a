"""How long a prompt is. The server knows; what it does not say is estimated, rather too high."""

from __future__ import annotations

import asyncio
from collections import deque

from inference.remote.messages import messages_of
from inference.remote.servers import Servers
from inference.types import Message, Picture

MESSAGE_TOKENS = 8
"""Of a message's role and marks."""
BYTES_PER_TOKEN = 3
"""Of text in UTF-8: four for English, about three for Japanese."""
PICTURE_TOKENS = (256, 2048)
"""Fewest and most for a picture of which nothing is known; between them follows its size."""
PX_PER_TOKEN = 28 * 28
"""Qwen's; others have fewer pixels in a token and bring large pictures to one size."""
REMEMBERED = 16
"""Prompts that tell how many tokens a picture takes."""


class PromptCounter:
    """Counts text exactly where the server does it, and learns what pictures take."""

    def __init__(self, servers: Servers, model: str) -> None:
        self._servers = servers
        self._model = model
        self._per_picture: deque[float] = deque(maxlen=REMEMBERED)

    async def count(self, messages: tuple[Message, ...]) -> int:
        """Tokens of a prompt, pictures included."""
        pictures = [picture for message in messages for picture in message.pictures]
        return await self._text(messages) + sum(map(self._tokens_of, pictures))

    async def learn(self, messages: tuple[Message, ...], prompt_tokens: int) -> None:
        """Take what a prompt turned out to be."""
        if num_pictures := sum(len(message.pictures) for message in messages):
            of_pictures = prompt_tokens - await self._text(messages)
            if of_pictures > 0:
                self._per_picture.append(of_pictures / num_pictures)

    def _tokens_of(self, picture: Picture) -> int:
        if self._per_picture:
            return int(max(self._per_picture)) + 1
        fewest, most = PICTURE_TOKENS
        return min(max(picture.width_px * picture.height_px // PX_PER_TOKEN, fewest), most)

    async def _text(self, messages: tuple[Message, ...]) -> int:
        counting = [server for server in self._servers.well if server.kind.counts_tokens]
        if counting:
            as_json = messages_of(messages, max_picture_bytes=0, with_pictures=False)
            for server in counting:
                if (told := await server.num_tokens(self._model, as_json)) is not None:
                    return told
        return await asyncio.to_thread(estimate, messages)


def estimate(messages: tuple[Message, ...]) -> int:
    """Tokens of the text: an estimate."""
    return sum(
        MESSAGE_TOKENS + -(-len(message.text.encode()) // BYTES_PER_TOKEN) for message in messages
    )
