"""What a command line names: pictures and a question, from files and standard input."""

from __future__ import annotations

import asyncio
import io
import socket
import sys

import pytest

from bot.platforms.terminal.fetch import fetch
from bot.platforms.terminal.pictures import MAX_QUESTION_BYTES, TerminalError, read_question


def stdin_holding(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "question"),
    [
        (b"What is it?\n", "What is it?"),
        (b"caf\xe9?", "caf\N{REPLACEMENT CHARACTER}?"),
    ],
)
def test_a_dash_for_a_question_reads_it_from_standard_input(
    data: bytes, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin_holding(data))
    assert read_question("-", ["photo.png"]) == question


def test_a_question_in_words_leaves_standard_input_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert read_question("What?", ["-"]) == "What?"


def test_of_endless_input_only_so_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin_holding(b"?" * (MAX_QUESTION_BYTES + 9)))
    assert len(read_question("-", [])) == MAX_QUESTION_BYTES


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = stdin_holding(b"")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(TerminalError, match="pipe a question into the command"):
        read_question("-", [])


async def test_a_host_that_nobody_knows_and_a_port_where_nobody_listens_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(OSError, match=r"cannot be reached: Connection refused$"):
        await anext(fetch("http://127.0.0.1:9/photo.png"))

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "planted")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    with pytest.raises(OSError, match=r"cannot be reached: name or service not known$"):
        await anext(fetch("http://pictures.invalid/photo.png"))
