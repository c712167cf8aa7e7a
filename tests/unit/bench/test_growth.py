"""`tests.benchmarks.growth` runs on a CPU, and measures what it says."""

from __future__ import annotations

import pytest

from tests.benchmarks import growth

pytestmark = pytest.mark.heavy


def test_more_threads_and_more_turns_are_measured_in_one_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    growth.main(
        *("--tiny", "--device", "cpu", "--threads", "1", "3", "500"),
        *("--turns", "4", "--window-s", "0.5"),
    )
    printed = capsys.readouterr().out
    assert "500 threads: 16 run at once" in printed
    threads, turns = (
        [line.split() for line in table.splitlines()] for table in printed.split("\n\n")[1:3]
    )
    assert [row[0] for row in threads[2:]] == ["1", "3"]
    assert [row[0] for row in turns[1:]] == ["1", "2", "4"]
    rates = [float(row[2].replace(",", "")) for row in threads[2:]]
    assert all(rate > 0 for rate in rates)
    cached = [int(row[4].rstrip("%")) for row in turns[1:]]
    assert cached[0] == 0
    assert cached[1] > 50
    lengths = [int(row[1].replace(",", "")) for row in turns[1:]]
    assert lengths == sorted(lengths)
