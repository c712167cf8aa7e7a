"""A conversation at the terminal over this process's own model."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TextIO

from bot.platforms.platform import Core
from bot.platforms.terminal.pictures import PictureFile, TerminalError
from bot.platforms.terminal.status_line import StatusLine
from bot.values.messages import (
    Attachment,
    Author,
    Ending,
    IncomingMessage,
    MessageKey,
    Outcome,
    ReplyLimits,
    Status,
    TextFile,
    ThreadKey,
)
from inference.standard_streams import OutputLost

PLATFORM = "terminal"


class TerminalExchange:
    """Implements `bot.values.messages.Exchange`: prints the answer as it grows, or keeps it."""

    limits = ReplyLimits(pace_s=0.02)

    def __init__(
        self,
        pictures: tuple[PictureFile, ...],
        out: TextIO | None,
        status: StatusLine,
        stop: Callable[[], Awaitable[object]],
    ) -> None:
        self._pictures = pictures
        self._out = out
        self._status = status
        self._stop = stop
        self._printed = 0
        self.ending: Ending | None = None
        self.lost: OutputLost | None = None
        """Why nothing more could be printed."""

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """Return it as it is: the command line said everything."""
        return message

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes, already read."""
        yield self._pictures[int(attachment.ref)].data

    async def status(self, status: Status) -> None:
        """Say what is waited for."""
        self._status.show(status.stage.value, status.position)

    async def show(self, part: int, text: str) -> None:  # noqa: ARG002 - there is one part
        """Print what has been added."""
        self._status.clear()
        await self._print(text[self._printed :])
        self._printed = len(text)

    async def attach(self, file: TextFile) -> bool:  # noqa: ARG002 - it posts none
        """Not needed: the terminal prints a text of any length."""
        return False

    async def end(self, ending: Ending) -> None:
        """Finish the line."""
        self._status.clear()
        if self._printed:
            await self._print("\n")
        self.ending = ending

    async def _print(self, text: str) -> None:
        if self._out is None:
            return
        try:
            print(text, end="", file=self._out, flush=True)
        except OutputLost as exc:
            self.lost = exc
            self._out = None
            await self._stop()  # nobody reads any more


class Terminal:
    """Implements `Conversation` over the same core as every platform."""

    def __init__(self, core: Core, *, locale: str, quiet: bool = False) -> None:
        self._core = core
        self._locale = locale
        self._quiet = quiet
        self.has_pictures = False
        self._thread = _new_thread()
        self._asked: MessageKey | None = None

    @property
    def model_name(self) -> str:
        """See `Conversation.model_name`."""
        return "" if self._core.model is None else self._core.model.name

    async def ask(
        self, question: str, pictures: tuple[PictureFile, ...], out: TextIO | None
    ) -> Ending:
        """See `Conversation.ask`."""
        self._asked = key = MessageKey(
            platform=PLATFORM, team="", channel="", message=uuid.uuid4().hex
        )
        status = StatusLine(self._locale, shown=out is not None and not self._quiet)
        exchange = TerminalExchange(pictures, out, status, stop=lambda: self._core.stop(key))
        await self._core.ask(
            IncomingMessage(
                key=key,
                thread=self._thread,
                author=Author(id=PLATFORM),
                text=question,
                attachments=tuple(
                    Attachment(name=picture.name, ref=str(i), size_bytes=len(picture.data))
                    for i, picture in enumerate(pictures)
                ),
                locale=self._locale,
            ),
            exchange,
        )
        if exchange.lost is not None:
            raise exchange.lost
        if exchange.ending is None:
            raise TerminalError("The question was not answered.")
        self.has_pictures = self.has_pictures or bool(exchange.ending.receipt.pictures)
        if exchange.ending.outcome is Outcome.REFUSED:
            raise TerminalError(exchange.ending.text)
        return exchange.ending

    async def stop(self) -> None:
        """See `Conversation.stop`."""
        if self._asked is not None:
            await self._core.stop(self._asked)

    async def start_anew(self) -> None:
        """See `Conversation.start_anew`: what the thread held lasts as long as the command."""
        self._thread = _new_thread()
        self.has_pictures = False


def _new_thread() -> ThreadKey:
    return ThreadKey(platform=PLATFORM, team="", channel="", thread=uuid.uuid4().hex)
