"""The deadline of a stop: the earliest wins, and it needs nobody's help."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time

import pytest

from bot import deadline
from bot.deadline import Deadline


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(signal, "setitimer", lambda *_: None)  # it would end the tests
    return []


def wait_for(ended: list[int]) -> float:
    began = time.monotonic()
    while not ended:
        time.sleep(0.01)
        assert time.monotonic() - began < 30
    return time.monotonic() - began


def test_a_later_deadline_extends_nothing_and_an_earlier_one_shortens(ended: list[int]) -> None:
    stop = Deadline(ended.append)
    stop.begin(60, exit_code=1)
    stop.begin(0.05, exit_code=2)
    stop.begin(60, exit_code=3)
    assert wait_for(ended) < 20
    assert ended == [2]


def test_a_log_that_nobody_reads_holds_up_nothing(
    ended: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Event()
    monkeypatch.setattr(deadline.log, "warning", lambda _: reading.wait(60))
    Deadline(ended.append).begin(0.01)
    assert wait_for(ended) < 20
    reading.set()


def test_the_log_says_why_the_process_ends(
    ended: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    Deadline(ended.append).begin(0.01)
    wait_for(ended)
    assert "the stop takes too long" in caplog.text


def test_a_process_whose_interpreter_does_not_run_any_more_ends_too() -> None:
    code = (
        "import ctypes, sys\n"
        "from bot.deadline import Deadline\n"
        "Deadline().begin(0.2)\n"
        "ctypes.PyDLL(None).sleep(200)"  # with the interpreter's lock held
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=False)
    assert time.monotonic() - began < 100
