"""Guessing becomes slow, mistyping does not, and memory stays bounded."""

from __future__ import annotations

import logging

import pytest

from bot.platforms.listening.guesses import FREE_FAILURES, LONGEST_WAIT_S, Guesses


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guesses(clock: Clock) -> Guesses:
    return Guesses("the password", clock=clock)


def fail(guesses: Guesses, times: int, sender: str = "a", *, start: int = 0) -> None:
    for number in range(start, start + times):
        guesses.failed(sender, str(number).encode())


def test_each_further_failure_makes_its_sender_wait_longer(guesses: Guesses, clock: Clock) -> None:
    fail(guesses, FREE_FAILURES - 1)
    assert guesses.wait_s("a") == 0
    waits = []
    for number in range(100, 110):
        guesses.failed("a", str(number).encode())
        waits.append(guesses.wait_s("a"))
        clock.now += waits[-1]
        assert guesses.wait_s("a") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    fail(guesses, 5000, start=200)
    assert guesses.wait_s("a") == LONGEST_WAIT_S


def test_others_do_not_wait(guesses: Guesses) -> None:
    fail(guesses, 20)
    assert guesses.wait_s("b") == 0


def test_the_same_guess_again_is_no_further_guess(guesses: Guesses) -> None:
    for _ in range(50):
        guesses.failed("a", b"an old password")
    assert guesses.wait_s("a") == 0


def test_a_right_one_forgives_what_was_mistyped_before(guesses: Guesses) -> None:
    fail(guesses, FREE_FAILURES - 1)
    guesses.succeeded("a")
    fail(guesses, FREE_FAILURES - 1, start=50)
    assert guesses.wait_s("a") == 0


def test_failures_are_forgotten_after_a_while(guesses: Guesses, clock: Clock) -> None:
    fail(guesses, FREE_FAILURES - 1)
    clock.now += 901
    fail(guesses, 1, start=50)
    assert guesses.wait_s("a") == 0


def test_a_burst_is_one_line_in_the_log_and_names_no_guess(
    guesses: Guesses, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fail(guesses, 500)
    (record,) = caplog.records
    assert record.getMessage() == "a guesses the password: it has to wait from now on"
    clock.now += 901
    with caplog.at_level(logging.DEBUG):
        fail(guesses, FREE_FAILURES, start=1000)
    assert len(caplog.records) == 2


def test_however_many_guess_the_memory_is_bounded_and_the_latest_stay(clock: Clock) -> None:
    guesses = Guesses("the password", most=10, clock=clock)
    for number in range(1000):
        fail(guesses, 6, f"sender {number}")
    assert len(guesses._of_sender) <= 10
    assert guesses.wait_s("sender 999") > 0
    assert guesses.wait_s("sender 0") == 0
