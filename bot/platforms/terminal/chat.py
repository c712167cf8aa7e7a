"""`llava-bot chat`: questions one by one, in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from types import FrameType
from typing import Any, TextIO, TypeAlias

from bot.platforms.terminal.conversation import Conversation, remarks
from bot.platforms.terminal.dropped import find_dropped, path_in
from bot.platforms.terminal.lines import Lines, PipedLines, TypedLines, typed_by_somebody
from bot.platforms.terminal.pictures import (
    PictureFile,
    TerminalError,
    locale_of_environment,
)
from bot.platforms.terminal.type_ahead import type_ahead
from bot.texts import say

ReadPictures: TypeAlias = Callable[[Sequence[str]], Coroutine[Any, Any, tuple[PictureFile, ...]]]
"""Pictures by file name or address. Raises: TerminalError."""

COMMANDS = ("/help", "/picture", "/new", "/quit", "/exit")
FAREWELLS = frozenset({"/quit", "/exit", "quit", "exit"})


async def chat(
    pictures: tuple[PictureFile, ...],
    conversation: Conversation,
    *,
    read: ReadPictures,
    quiet: bool = False,
) -> int:
    """Answer questions until the input ends. Returns: the exit code; 1 if one was refused.

    At a terminal, lines are edited, may be commands and may name pictures; Ctrl-C stops an answer.
    Each line of a pipe is a question, and stdout holds the answers alone. `read` reads the pictures
    that are added. `quiet`: receipts are not shown.

    Raises:
        TerminalError: the questions cannot be read.
        OutputLost: an answer could not be printed.
    """
    console = typed_by_somebody()
    if console is None:
        return await _Chat(conversation, pictures, quiet=quiet).answer_all(PipedLines(sys.stdin))
    locale = locale_of_environment()
    typed = _TypedChat(conversation, pictures, console, read, locale, quiet=quiet)
    typed.greet()
    interrupted = say(locale, "terminal_interrupted")
    return await typed.answer_all(TypedLines(console, commands=COMMANDS, interrupted=interrupted))


class _Chat:
    """Takes every line for a question."""

    def __init__(
        self, conversation: Conversation, pictures: tuple[PictureFile, ...], *, quiet: bool
    ) -> None:
        self._conversation = conversation
        self._quiet = quiet
        self._pictures = pictures
        """To send with the next question."""
        self._code = 0

    async def answer_all(self, lines: Lines) -> int:
        """Returns: the exit code."""
        while (line := await lines.next()) is not None:
            if line and not await self._take(line):
                break
        return self._code

    async def _take(self, line: str) -> bool:
        """Returns: whether the chat goes on."""
        await self._ask(line)
        return True

    async def _ask(self, question: str) -> None:
        try:
            ending = await self._conversation.ask(question, self._pictures, sys.stdout)
        except TerminalError as exc:
            print(exc, file=sys.stderr)
            self._code = 1
        else:
            for remark in () if self._quiet else remarks(ending.receipt):
                print(remark, file=sys.stderr)
        if self._conversation.has_pictures:
            self._pictures = ()  # they stay in the thread


class _TypedChat(_Chat):
    """Also understands commands, and files that are dropped onto the terminal."""

    def __init__(
        self,
        conversation: Conversation,
        pictures: tuple[PictureFile, ...],
        console: TextIO,
        read: ReadPictures,
        locale: str,
        *,
        quiet: bool,
    ) -> None:
        super().__init__(conversation, pictures, quiet=quiet)
        self._console = console
        self._read = read
        self._locale = locale
        self._taking: asyncio.Future[bool] | None = None
        """The line that is being answered or obeyed."""
        self._asking = False
        self._stopping: asyncio.Future[None] | None = None
        self._given_up = False

    def greet(self) -> None:
        """Say who answers, about what, and how to end."""
        self._say("terminal_greeting", model=self._conversation.model_name or "llava-bot")
        self._name_pictures()

    async def answer_all(self, lines: Lines) -> int:
        """Returns: the exit code."""
        with self._interruptible():
            return await super().answer_all(lines)

    async def _take(self, line: str) -> bool:
        self._taking = asyncio.ensure_future(self._take_line(line))
        try:
            with type_ahead(sys.stdin):
                return await self._taking
        except asyncio.CancelledError:
            if not self._given_up:
                raise
            return True
        finally:
            self._taking, self._given_up = None, False

    async def _take_line(self, line: str) -> bool:
        command, _, argument = line.partition(" ")
        if line in FAREWELLS:
            return False
        if line == "/help":
            self._say("terminal_help")
        elif line == "/new":
            await self._conversation.start_anew()
            self._pictures = ()
            self._say("terminal_new")
        elif command == "/picture":
            if argument.strip():
                await self._add([path_in(argument.strip())])
            else:
                self._say("terminal_which_picture")
        else:
            await self._take_question(line)
        return True

    async def _take_question(self, line: str) -> None:
        paths, question = find_dropped(line)
        if paths and not await self._add(paths):
            return  # the question is in the history
        if re.fullmatch(r"/[a-z]+", question.partition(" ")[0]):
            self._say("terminal_no_command", command=question.partition(" ")[0])
        elif question:
            self._asking, self._stopping = True, None
            try:
                await self._ask(question)
            finally:
                self._asking = False

    async def _add(self, sources: list[str]) -> bool:
        """Returns: whether all of them can be sent."""
        try:
            self._pictures += await self._read(sources)
        except TerminalError as exc:
            print(exc, file=sys.stderr)
            return False
        self._name_pictures()
        return True

    def _name_pictures(self) -> None:
        if self._pictures:
            names = ", ".join(picture.name for picture in self._pictures)
            self._say("terminal_pictures", names=names)

    def _say(self, key: str, **values: object) -> None:
        print(say(self._locale, key, **values), file=self._console, flush=True)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C never ends the chat, which could be meant for an answer that has just ended."""
        loop = asyncio.get_running_loop()

        def received(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._interrupt)

        before = signal.signal(signal.SIGINT, received)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self) -> None:
        """Stop the answer; should that take long, or where there is none, give the line up."""
        if self._asking and self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        elif self._taking is not None:
            self._given_up = True
            self._taking.cancel()

    async def _stop(self) -> None:
        try:
            await self._conversation.stop()
        except TerminalError as exc:
            print(exc, file=sys.stderr)
