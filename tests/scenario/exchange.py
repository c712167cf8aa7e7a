"""A platform's side of a question, for tests of the core."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.values.messages import (
    Attachment,
    Ending,
    IncomingMessage,
    ReplyLimits,
    Stage,
    Status,
    TextFile,
)


class FakeExchange:
    """Implements `bot.values.messages.Exchange`; serves files and records what is shown."""

    limits = ReplyLimits(pace_s=0.005)

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = files or {}
        self.statuses: list[Status] = []
        self.shown: list[str] = []
        self.endings: list[Ending] = []
        self.opened: list[str] = []

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        return message

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        self.opened.append(attachment.ref)
        if attachment.ref not in self.files:
            raise FileNotFoundError(attachment.ref)
        yield self.files[attachment.ref]

    async def status(self, status: Status) -> None:
        self.statuses.append(status)

    async def show(self, part: int, text: str) -> None:
        assert part == 0
        self.shown.append(text)

    async def attach(self, file: TextFile) -> bool:
        raise AssertionError(file.name)

    async def end(self, ending: Ending) -> None:
        self.endings.append(ending)

    @property
    def ending(self) -> Ending:
        (ending,) = self.endings
        return ending

    @property
    def stages(self) -> list[Stage]:
        return [status.stage for status in self.statuses]
