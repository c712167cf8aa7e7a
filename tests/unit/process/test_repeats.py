"""A failure that repeats itself is told once in full, then briefly, and is counted."""

from __future__ import annotations

import logging

import pytest

from bot.logs.repeats import Repeats
from inference.errors import safe_traceback


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(errno: int = 111) -> BaseException:
    with pytest.raises(ConnectionRefusedError) as failed:
        raise ConnectionRefusedError(errno, "planted")
    return failed.value


def told(repeats: Repeats, exc: BaseException, *, name: str = "bot.core") -> str | None:
    record = logging.LogRecord(
        name, logging.WARNING, __file__, 1, "it failed: %s", (safe_traceback(exc),), None
    )
    return record.getMessage() if repeats.filter(record) else None


IN_BRIEF = "it failed: builtins.ConnectionRefusedError: Connection refused"


def test_the_second_time_it_is_one_line_and_then_a_line_a_minute_that_counts(clock: Clock) -> None:
    repeats = Repeats(clock)
    first = told(repeats, fail())
    assert first is not None
    assert first.startswith(f"{IN_BRIEF}\n  at ")
    assert told(repeats, fail()) == IN_BRIEF
    for _ in range(20):
        clock.now += 10
        if (line := told(repeats, fail())) is not None:
            assert line == f"{IN_BRIEF} (again, 6 times in the last minute)"
    clock.now += 300
    assert told(repeats, fail()) == f"{IN_BRIEF} (again, 3 times in the last 5 minutes)"


def test_another_failure_is_told_in_full(clock: Clock) -> None:
    repeats = Repeats(clock)
    for exc in (fail(), fail(104)):
        assert "\n  at " in (told(repeats, exc) or "")
    assert "\n  at " in (told(repeats, fail(), name="bot.store") or "")


def test_after_an_hour_without_it_it_is_told_in_full_again(clock: Clock) -> None:
    repeats = Repeats(clock)
    for _ in range(3):
        told(repeats, fail())
    clock.now += 3601
    assert "\n  at " in (told(repeats, fail()) or "")


def test_a_record_without_a_failure_always_passes(clock: Clock) -> None:
    repeats = Repeats(clock)
    for arguments in ((), ("x",)):
        record = logging.LogRecord("bot", logging.INFO, __file__, 1, "it runs", arguments, None)
        assert all(repeats.filter(record) for _ in range(5))


def test_it_remembers_no_more_than_it_should(clock: Clock) -> None:
    repeats = Repeats(clock)
    for number in range(1000):
        told(repeats, fail(), name=f"bot.{number}")
    assert len(repeats._known) <= 256
