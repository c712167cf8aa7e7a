"""A reply as a stream of events that any number of pages may follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from bot.messages import (
    Attachment,
    Ending,
    IncomingMessage,
    MessageKey,
    Outcome,
    ReplyLimits,
    Status,
)

CHUNK_BYTES = 256 * 1024

Event: TypeAlias = tuple[str, dict[str, Any]]
"""(name, data): ``status``, ``delta``, then one ``done`` or ``error``."""


class WebExchange:
    """Implements `bot.messages.Exchange` for one question."""

    limits = ReplyLimits(pace_s=0.03)

    def __init__(self, key: MessageKey, on_end: Callable[[], Awaitable[None]]) -> None:
        self._key = key
        self._on_end = on_end
        self._status: Status | None = None
        self._text = ""
        self._end: Event | None = None
        self._closed = False
        self._followers: set[asyncio.Queue[Event | None]] = set()

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """Nothing had to be asked for."""
        return message

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of an upload."""
        with await asyncio.to_thread(Path(attachment.ref).open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield piece

    async def status(self, status: Status) -> None:
        """Tell the followers what is waited for."""
        self._status = status
        self._tell(_status_event(status))

    async def show(self, part: int, text: str) -> None:  # noqa: ARG002 - there is one part
        """Tell the followers what has been added. A reply only grows, and has one part."""
        added, self._text = text[len(self._text) :], text
        if added:
            self._tell(("delta", {"text": added}))

    async def end(self, ending: Ending) -> None:
        """Tell the followers how it ended."""
        receipt = ending.receipt.to_json()
        if ending.outcome is Outcome.REFUSED:
            self._end = ("error", {"message": ending.text, "receipt": receipt})
        else:
            self._end = (
                "done",
                {
                    "message_id": self._key.message,
                    "outcome": ending.outcome.value,
                    "text": ending.text,
                    "receipt": receipt,
                },
            )
        self._tell(self._end)
        await self._on_end()

    def close(self) -> None:
        """Let the followers go without an end: the question is left to the next start."""
        self._closed = True
        self._tell(None)

    async def follow(self) -> AsyncIterator[Event]:
        """The reply from here on; what was said before comes first, in one piece."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        if self._status is not None:
            queue.put_nowait(_status_event(self._status))
        if self._text:
            queue.put_nowait(("delta", {"text": self._text}))
        if self._end is not None:
            queue.put_nowait(self._end)
        elif self._closed:
            queue.put_nowait(None)
        self._followers.add(queue)
        try:
            while True:
                event = await queue.get()
                if event is None:
                    return
                yield event
                if event[0] in {"done", "error"}:
                    return
        finally:
            self._followers.discard(queue)

    def _tell(self, event: Event | None) -> None:
        for follower in self._followers:
            follower.put_nowait(event)


def _status_event(status: Status) -> Event:
    data: dict[str, Any] = {"stage": status.stage.value}
    if status.position is not None:
        data["position"] = status.position
    return ("status", data)
