"""`llava-bot bench`: figures on stdout, progress and sentences on stderr, no traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenario.command import llava_bot

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="session")
def model(tiny_checkpoint: Callable[[str], Path]) -> str:
    return str(tiny_checkpoint("llava-1.5"))


async def test_a_model_is_measured_and_drawn(tmp_path: Path, model: str) -> None:
    result = await llava_bot(
        *("bench", "--model", model, "--threads", "2", "--new-tokens", "12", "--json"),
        *("--plot", "chart.png"),
        data_dir=tmp_path,
    )
    assert result.code == 0, result.err
    assert re.search(rf"^{model} on cpu: 7 measurements, about \d+ seconds; Ctrl-C", result.err)
    said = json.loads(result.out)
    assert said["path"] == "fast"
    assert [measured["threads"] for measured in said["throughput"]] == [2]
    assert all(speedup > 0 for speedup in said["speedup_over_generate"])
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--threads", "0"), "'0' is not a number from 1 to 256"),
        (("--threads", "-2"), "'-2' is not a number from 1 to 256"),
        (("--new-tokens", "1"), "'1' is not a number from 8 to 2048"),
        (
            ("--model", "llava-hf/llava-1.5-7b-hf", "--random-weights", "--device", "cpu"),
            "has 7.1 billion parameters, and no GPU is used: measuring it would take hours",
        ),
    ],
)
async def test_what_the_bench_cannot_measure_ends_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = await llava_bot("bench", *arguments, data_dir=tmp_path)
    assert result.code != 0
    assert sentence in result.last_sentence
    assert "Traceback" not in result.err
