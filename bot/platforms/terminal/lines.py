"""Where `chat` gets its lines: from somebody who types them, or from a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from collections.abc import Iterable
from typing import Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from bot.platforms.terminal.pictures import TerminalError

PROMPT = "> "


class Lines(Protocol):
    """Lines one by one."""

    async def next(self) -> str | None:
        """The next line; `None` at the end. Raises: TerminalError: it cannot be read."""
        ...


class PipedLines:
    """Lines of standard input as they arrive.

    A daemon thread reads them: a blocked read must not keep the process alive.
    """

    def __init__(self, stream: TextIO) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")  # any bytes are a question
        self._stream = stream
        self._lines: asyncio.Queue[str | OSError | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="stdin", daemon=True).start()

    async def next(self) -> str | None:
        """See `Lines.next`."""
        line = await self._lines.get()
        if isinstance(line, OSError):
            raise TerminalError(f"Standard input cannot be read: {line.strerror}.")
        return line

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        end: OSError | None = None
        with contextlib.suppress(RuntimeError):  # the loop is closed: the command is over
            try:
                for line in self._stream:
                    loop.call_soon_threadsafe(self._lines.put_nowait, line.strip())
            except OSError as exc:
                end = exc
            loop.call_soon_threadsafe(self._lines.put_nowait, end)


class TypedLines:
    """Lines that are edited at a terminal: arrow keys, history, several lines in one paste.

    The history lasts as long as the chat: what people ask is private, and a file would keep it.
    """

    def __init__(self, console: TextIO, *, commands: Iterable[str], interrupted: str) -> None:
        """`interrupted`: said after Ctrl-C on an empty line; a second one ends the input."""
        self._console = console
        self._interrupted = interrupted
        self._session: PromptSession[str] = PromptSession(
            [("bold", PROMPT)],
            history=InMemoryHistory(),
            key_bindings=_key_bindings(),
            completer=_Commands(commands),
            complete_while_typing=False,
            output=create_output(console),
        )

    async def next(self) -> str | None:
        """See `Lines.next`. Ctrl-C empties the line; on an empty one, twice, it ends the input."""
        was_interrupted = False
        while True:
            try:
                return (await self._session.prompt_async()).strip()
            except EOFError:
                return None
            except KeyboardInterrupt:
                if not self._session.default_buffer.text:
                    if was_interrupted:
                        return None
                    print(self._interrupted, file=self._console, flush=True)
                    was_interrupted = True


def _key_bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return bindings


class _Commands(Completer):
    """Completes a command, and the file after `/picture`."""

    def __init__(self, commands: Iterable[str]) -> None:
        self._commands = tuple(commands)
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        command, space, argument = document.text_before_cursor.partition(" ")
        if space and command == "/picture":
            yield from self._paths.get_completions(Document(argument), complete_event)
        elif not space and command.startswith("/"):
            for name in self._commands:
                if name.startswith(command):
                    yield Completion(name, start_position=-len(command))


def typed_by_somebody() -> TextIO | None:
    """The terminal to prompt on, if there is somebody to type: stdout, or stderr."""
    if not sys.stdin.isatty():
        return None
    return next((stream for stream in (sys.stdout, sys.stderr) if stream.isatty()), None)
