"""Standard streams of a command line: any text can be written, and no loss goes unnoticed.

By default Python raises `UnicodeEncodeError` for what a Windows pipe or an ASCII locale cannot
encode, notices a full disk only when the interpreter exits, and drops a stream that was closed.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

EXIT_FAILED = 1
EXIT_BROKEN_PIPE = 141
"""As a shell reports a command that SIGPIPE has ended (128 + 13)."""


class OutputLost(Exception):
    """Standard output cannot be written; `str(exc)` is one sentence."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"Standard output cannot be written: {cause.strerror}.")
        self.reader_left = isinstance(cause, BrokenPipeError)
        """The reader wanted no more (`| head -1`): not worth a sentence."""


def run(command: Callable[[], int]) -> int:
    """Run a command line on streams that take any text.

    Returns: the command's exit code, or one of ours if output was lost, even if the command did not
    notice.
    """
    output = _prepare()
    code = EXIT_FAILED
    try:
        try:
            code = command()
        except SystemExit as exc:  # argparse: help has been printed, or an argument is wrong
            code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        sys.stdout.flush()
    except OutputLost:
        pass  # reported below
    lost = None if output is None else output.lost
    if lost is None:
        return code
    if lost.reader_left:
        return EXIT_BROKEN_PIPE
    sys.stderr.write(f"{lost}\n")
    return code or EXIT_FAILED


def holds_any_text(stream: TextIO) -> bool:
    """Whether the stream's encoding can hold every character."""
    return stream.encoding.lower().replace("-", "").startswith("utf")


class _Output(io.FileIO):
    """A file descriptor that keeps and raises its first failure, then writes nothing more."""

    lost: OutputLost | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, waiting while a pipe is full. Raises: OutputLost."""
        if self.lost is not None:
            return _size(data)
        try:
            return _write(self.fileno(), data)
        except OSError as exc:
            self.lost = OutputLost(exc)
            raise self.lost from None


class _Errors(io.FileIO):
    """A file descriptor for sentences and the log: a failure to write them fails nothing."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write if that is possible."""
        with suppress(OSError):
            return _write(self.fileno(), data)
        return _size(data)


def _write(fd: int, data: ReadableBuffer) -> int:
    while True:
        try:
            return os.write(fd, data)
        except BlockingIOError:  # another process that shares the pipe has made it non-blocking
            select.select((), (fd,), ())


def _size(data: ReadableBuffer) -> int:
    return memoryview(data).nbytes


def _prepare() -> _Output | None:
    """Replace Python's streams by our own. Returns: the file under stdout, if it is ours."""
    if sys.stdin is None:
        # Opened for writing: the first read fails, as with any command.
        sys.stdin = open(_nowhere(os.O_WRONLY), encoding="utf-8")  # noqa: SIM115
    output: _Output | None = None
    if sys.stdout is None:
        output = _Output(_nowhere(os.O_RDONLY), "w", closefd=False)
        sys.stdout = _text(output, "utf-8", "replace")
    elif _is_file(sys.stdout):
        output = _Output(sys.stdout.fileno(), "w", closefd=False)
        sys.stdout = _text(output, sys.stdout.encoding, "replace", like=sys.stdout)
    if sys.stderr is None:
        sys.stderr = _text(_Errors(_nowhere(os.O_WRONLY), "w"), "utf-8", "backslashreplace")
    elif _is_file(sys.stderr):
        # A descriptor of Python's own: what native code writes to stderr can go another way.
        errors = _Errors(os.dup(sys.stderr.fileno()), "w", closefd=False)
        sys.stderr = _text(errors, sys.stderr.encoding, "backslashreplace", like=sys.stderr)
    return output


def _nowhere(flags: int) -> int:
    """Occupy the lowest free descriptor: no file of ours may get a closed stream's number."""
    return os.open(os.devnull, flags)


def _is_file(stream: TextIO) -> bool:
    """False for a Windows console, which takes any text and has no encoding of its own."""
    buffer = getattr(stream, "buffer", None)
    return type(getattr(buffer, "raw", buffer)) is io.FileIO


def _text(
    raw: io.FileIO, encoding: str, errors: str, *, like: TextIO | None = None
) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=errors,
        line_buffering=(
            like is None or bool(like.line_buffering) or getattr(like, "write_through", False)
        ),
    )
