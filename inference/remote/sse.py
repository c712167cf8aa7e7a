"""Server-sent events, as far as they carry data.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterator

MAX_EVENT_CHARS = 1 << 20
"""An event is a few words; a server that sends more at once sends no events."""


class NotEvents(ValueError):
    """What arrives is no stream of events."""


class EventParser:
    """Takes bytes as they arrive. Returns the data of each event that has ended."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._rest = ""
        self._data: list[str] = []
        self._num_chars = 0

    def push(self, data: bytes) -> list[str]:
        """Raises: NotEvents: a line or an event without an end."""
        text = self._rest + self._decoder.decode(data)
        # A carriage return at the end may be the first half of a line's end.
        held = "\r" if text.endswith("\r") else ""
        lines = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop() + held
        ended = [event for line in lines if (event := self._push_line(line)) is not None]
        if len(self._rest) + self._num_chars > MAX_EVENT_CHARS:
            raise NotEvents(f"an event of more than {MAX_EVENT_CHARS} characters")
        return ended

    def _push_line(self, line: str) -> str | None:
        if not line:
            event, self._data, self._num_chars = self._data, [], 0
            return "\n".join(event) if event else None
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
            self._num_chars += len(value)
        return None


async def events_of(pieces: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event. Raises: NotEvents."""
    parser = EventParser()
    async for piece in pieces:
        for event in parser.push(piece):
            yield event
