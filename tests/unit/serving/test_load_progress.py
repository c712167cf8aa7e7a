"""How far a load is, as the terminal shows it."""

from __future__ import annotations

import io
from unittest import mock

import pytest

from inference.progress import LoadProgress, Phase, RateMeter, StreamProgress, described

DOWNLOAD = LoadProgress(
    phase=Phase.DOWNLOADING, what="the model", done_bytes=0, total_bytes=2_000_000_000
)


def at(done_bytes: int) -> LoadProgress:
    return LoadProgress(
        phase=Phase.DOWNLOADING, what="the model", done_bytes=done_bytes, total_bytes=2_000_000_000
    )


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("inference.progress.time", mock.Mock(monotonic=clock))
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (LoadProgress(phase=Phase.WARMING_UP), "Warming up …"),
        (DOWNLOAD, "Downloading the model: 0.0 of 2.0 GB"),
        (
            LoadProgress(
                phase=Phase.DOWNLOADING,
                what="x",
                done_bytes=10_000_000,
                total_bytes=100_000_000,
                bytes_per_s=1_000_000,
            ),
            "Downloading x: 10 of 100 MB, 1.0 MB/s, 2 min left",
        ),
        (LoadProgress(phase=Phase.DOWNLOADING, done_bytes=5_000_000), "Downloading: 5 MB"),
    ],
)
def test_a_line_says_what_is_done_how_fast_and_how_long_still(
    progress: LoadProgress, line: str
) -> None:
    assert described(progress) == line


def test_a_download_that_is_resumed_counts_only_what_came_since(clock: Clock) -> None:
    meter = RateMeter()
    assert meter.measured(at(1_900_000_000)).bytes_per_s is None
    clock.now_s = 10
    measured = meter.measured(at(1_950_000_000))
    assert measured.bytes_per_s == pytest.approx(5_000_000)
    assert measured.remaining_s == pytest.approx(10)


def test_the_rate_follows_a_connection_that_became_slow(clock: Clock) -> None:
    meter = RateMeter()
    done = 0
    for _ in range(100):
        done += 10_000_000
        meter.measured(at(done))
        clock.now_s += 1
    for _ in range(60):
        done += 1_000_000
        slow = meter.measured(at(done))
        clock.now_s += 1
    assert slow.bytes_per_s is not None
    assert slow.bytes_per_s < 2_000_000


def test_a_download_that_begins_again_has_no_negative_rate(clock: Clock) -> None:
    meter = RateMeter()
    for second, done in enumerate([0, 50_000_000, 90_000_000, 0]):
        clock.now_s = second
        measured = meter.measured(at(done))
    assert (measured.bytes_per_s, measured.remaining_s) == (None, None)
    clock.now_s += 1
    assert meter.measured(at(4_000_000)).bytes_per_s == pytest.approx(4_000_000)


def test_a_file_gets_few_lines_and_a_terminal_one_that_is_written_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    file, terminal = io.StringIO(), Terminal()
    progress = [StreamProgress(file), StreamProgress(terminal)]
    for step in range(600):
        clock.now_s += 0.1
        for one in progress:
            one.report(at(step * 3_000_000))
    for one in progress:
        one.say("It is ready.")
    assert file.getvalue().count("\n") <= 4
    assert "[" not in file.getvalue()
    assert "  [#####-----]" in terminal.getvalue()
    assert "\r" not in file.getvalue()
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("\rIt is ready.\n")  # the line was cleared before


def test_a_narrow_terminal_has_no_bar_for_a_line_that_wraps_cannot_be_written_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    StreamProgress(terminal).report(at(1_000_000_000))
    assert terminal.getvalue() == "\rDownloading the model: 1.0 of 2.0 GB"
