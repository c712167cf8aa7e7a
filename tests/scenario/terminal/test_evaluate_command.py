"""`llava-bot evaluate`: a table on stdout, the rest on stderr, and a second call that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenario.command import llava_bot
from tests.unit.evaluation.drawn import data_set, problem

pytestmark = pytest.mark.heavy


async def test_a_real_model_answers_and_a_second_call_only_prints(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    problems = {str(i): problem(i) for i in range(1, 9)}
    root = data_set(tmp_path / "sqa", problems)
    words = ["evaluate", "scienceqa", str(root), "--model", str(tiny_checkpoint("llava-1.5"))]
    first = await llava_bot(*words, "--output", "o.jsonl", data_dir=tmp_path)
    assert first.code == 0, first.err
    assert "G7-12" in first.out
    assert "8 of 8 questions are answered." in first.out
    assert "its path: fast" in first.err
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 9
    again = await llava_bot(*words, "--output", "o.jsonl", "--json", data_dir=tmp_path)
    said = json.loads(again.out)
    assert said["answered"] == 8
    assert again.err == ""


async def test_a_folder_without_the_data_set_ends_in_a_sentence(tmp_path: Path) -> None:
    result = await llava_bot("evaluate", "scienceqa", ".", data_dir=tmp_path)
    assert (result.code, result.out) == (1, "")
    assert result.last_sentence == (
        "The folder . has no problems.json with a pid_splits.json beside it."
    )
