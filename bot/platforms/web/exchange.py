"""A reply as a stream of events that any number of pages can follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from bot.values.messages import (
    Attachment,
    Ending,
    IncomingMessage,
    Outcome,
    Receipt,
    ReplyLimits,
    Status,
    TextFile,
)

CHUNK_BYTES = 256 * 1024

Event: TypeAlias = tuple[str, dict[str, Any]]
"""(name, data): ``status``, ``delta``, then one ``done`` or ``error``."""
LAST = frozenset({"done", "error"})


class PlaygroundExchange:
    """Implements `bot.values.messages.Exchange` for one question."""

    limits = ReplyLimits(pace_s=0.03)

    def __init__(
        self,
        message: IncomingMessage,
        *,
        keeps_pictures: Callable[[], Awaitable[bool]],
        before_end: Callable[[Ending], Awaitable[None]],
        on_change: Callable[[], None],
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        """`keeps_pictures`: whether the thread has the question's pictures once it has ended.

        `on_change`: called when there is something that a page would show, except for each word.
        """
        self.message = message
        self._keeps_pictures = keeps_pictures
        self._before_end = before_end
        self._on_change = on_change
        self._on_end = on_end
        self._status: Status | None = None
        self._text = ""
        self._end: Event | None = None
        self._followers: set[asyncio.Queue[Event]] = set()
        self.http_status: int | None = None
        """Set when the question was refused before anything was stored."""

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """Return it as it is: the page sent everything."""
        return message

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of an upload."""
        with await asyncio.to_thread(Path(attachment.ref).open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield piece

    async def status(self, status: Status) -> None:
        """Send the status to the followers."""
        self._status = status
        self._send(_status_event(status))
        self._on_change()

    async def show(self, part: int, text: str) -> None:  # noqa: ARG002 - there is one part
        """Send what has been added to the followers. A reply only grows, and has one part."""
        added, self._text = text[len(self._text) :], text
        if added == text:
            self._on_change()
        if added:
            self._send(("delta", {"text": added}))

    async def attach(self, file: TextFile) -> bool:  # noqa: ARG002 - it posts none
        """Not needed: the page shows a text of any length, and saves it as a file."""
        return False

    async def end(self, ending: Ending) -> None:
        """Send the ending to the followers."""
        if not ending.claimed:
            self.http_status = 503
        else:
            await self._before_end(ending)
        receipt = ending.receipt.to_json()
        if ending.outcome is Outcome.REFUSED:
            self._end = (
                "error",
                {
                    "message_id": self.message.key.message,
                    "message": ending.text,
                    "receipt": receipt,
                    # An upload is gone with the end of its question.
                    "retry": ending.may_pass and await self._keeps_pictures(),
                },
            )
        else:
            self._end = (
                "done",
                {
                    "message_id": self.message.key.message,
                    "outcome": ending.outcome.value,
                    "text": ending.text,
                    "receipt": receipt,
                },
            )
        self._send(self._end)
        self._on_change()
        await self._on_end()

    def close(self, sentence: str, *, http_status: int, resumes: bool = False) -> None:
        """End the stream of a reply that had no ending.

        `http_status`: of the refusal, if no event was sent yet. `resumes`: the next start continues
        the reply.
        """
        if self._end is not None:
            return
        if self._status is None and not self._text:
            self.http_status = http_status
        self._end = failed(sentence, resumes=resumes)
        self._send(self._end)

    async def follow(self) -> AsyncIterator[Event]:
        """The reply from now until its ``done`` or ``error``.

        The text so far comes first, in one piece.
        """
        queue: asyncio.Queue[Event] = asyncio.Queue()
        if self._status is not None:
            queue.put_nowait(_status_event(self._status))
        if self._text:
            queue.put_nowait(("delta", {"text": self._text}))
        if self._end is not None:
            queue.put_nowait(self._end)
        self._followers.add(queue)
        try:
            while True:
                event = await queue.get()
                yield event
                if event[0] in LAST:
                    return
        finally:
            self._followers.discard(queue)

    def _send(self, event: Event) -> None:
        for follower in self._followers:
            follower.put_nowait(event)


def failed(sentence: str, *, resumes: bool = False) -> Event:
    """The last event of a reply that got no ending from the core."""
    data: dict[str, Any] = {"message": sentence, "receipt": Receipt().to_json()}
    return ("error", data | {"resumes": True} if resumes else data)


def _status_event(status: Status) -> Event:
    data: dict[str, Any] = {"stage": status.stage.value}
    if status.position is not None:
        data["position"] = status.position
    return ("status", data)
