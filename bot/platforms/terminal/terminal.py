"""The terminal: `llava-bot ask` and `llava-bot chat`, the article's command line."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from typing import TextIO

from bot.platforms.platform import Core
from bot.platforms.terminal.pictures import PictureFile, TerminalError
from bot.values.messages import (
    Attachment,
    Author,
    Ending,
    IncomingMessage,
    MessageKey,
    Outcome,
    ReplyLimits,
    Status,
    ThreadKey,
)
from inference.standard_streams import OutputLost
from inference.types import ModelInfo

PLATFORM = "terminal"


class TerminalExchange:
    """Implements `bot.values.messages.Exchange`: prints the answer as it grows, or keeps it."""

    limits = ReplyLimits(pace_s=0.02)

    def __init__(
        self, pictures: tuple[PictureFile, ...], out: TextIO | None, stop: Callable[[], object]
    ) -> None:
        self._pictures = pictures
        self._out = out
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
        """There is no queue to wait in."""

    async def show(self, part: int, text: str) -> None:  # noqa: ARG002 - there is one part
        """Print what has been added."""
        self._print(text[self._printed :])
        self._printed = len(text)

    async def end(self, ending: Ending) -> None:
        """Finish the line."""
        if self._printed:
            self._print("\n")
        self.ending = ending

    def _print(self, text: str) -> None:
        if self._out is None:
            return
        try:
            print(text, end="", file=self._out, flush=True)
        except OutputLost as exc:
            self.lost = exc
            self._out = None
            self._stop()  # nobody reads any more


class Terminal:
    """One conversation at the terminal, over the same core as every platform."""

    def __init__(self, core: Core, *, locale: str) -> None:
        self._core = core
        self._locale = locale
        self.has_pictures = False
        """Whether the thread has stored pictures, which then need not be sent again."""
        self._thread = ThreadKey(platform=PLATFORM, team="", channel="", thread=uuid.uuid4().hex)

    @property
    def model(self) -> ModelInfo:
        """The model that answers."""
        return self._core.model

    async def ask(
        self, question: str, pictures: tuple[PictureFile, ...], out: TextIO | None
    ) -> Ending:
        """Ask and wait for the end, printing to `out` as the answer grows.

        A refusal is not printed.

        Raises:
            TerminalError: it is refused.
            OutputLost: the answer could not be printed; it was stopped.
        """
        key = MessageKey(platform=PLATFORM, team="", channel="", message=uuid.uuid4().hex)
        exchange = TerminalExchange(pictures, out, stop=lambda: self._core.stop(key))
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


def questions_from(stream: TextIO) -> asyncio.Queue[str | OSError | None]:
    """Lines of a stream as they arrive, then `None`, or why no more can be read.

    A daemon thread reads them: a blocked read must not keep the process alive.
    """
    lines: asyncio.Queue[str | OSError | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        end: OSError | None = None
        with contextlib.suppress(RuntimeError):  # the loop is closed: the command is over
            try:
                for line in stream:
                    loop.call_soon_threadsafe(lines.put_nowait, line.strip())
            except OSError as exc:
                end = exc
            loop.call_soon_threadsafe(lines.put_nowait, end)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return lines


async def chat(pictures: tuple[PictureFile, ...], terminal: Terminal) -> int:
    """Answer several questions about the same pictures, one per line, until the input ends.

    Prompts like LLaVA's own command line when stdin is a terminal; otherwise prints only the
    answers. Returns: the exit code; 1 when a question was refused.

    Raises:
        TerminalError: the questions cannot be read.
        OutputLost: an answer could not be printed.
    """
    prompts = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # any bytes are a question
    lines = questions_from(sys.stdin)
    code = 0
    while True:
        if prompts:
            print("USER: ", end="", flush=True)
        question = await lines.get()
        if isinstance(question, OSError):
            raise TerminalError(f"Standard input cannot be read: {question.strerror}.")
        if question is None or (prompts and not question):
            return code
        if not question:
            continue
        if prompts:
            print("ASSISTANT: ", end="", flush=True)
        try:
            await terminal.ask(question, pictures, sys.stdout)
        except TerminalError as exc:
            print(exc, file=sys.stderr)
            code = 1
        if terminal.has_pictures:
            pictures = ()  # they stay in the thread
