"""Before it measures, the bench says how long it takes and what the machine lacks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from inference.bench.forecast import (
    Plan,
    check_fits,
    in_words,
    memory_bytes,
    parameters_of,
    seconds,
)
from inference.errors import ModelUnavailable
from inference.types import ModelSpec

CPU = torch.device("cpu")
PLAN = Plan(threads=(1, 16), new_tokens=128, generate=True, static=False)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("llava-hf/llava-1.5-7b-hf", 7),
        ("llava-hf/llava-1.5-13b-hf", 13),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 3),
        ("some/model-0.5b", 0.5),
        ("pocket", 0.135),
    ],
)
def test_a_models_size_is_known_by_its_name(name: str, billions: float) -> None:
    parameters = parameters_of(ModelSpec(name=name))
    assert parameters == pytest.approx(billions * 1e9, rel=0.05)


def test_a_folders_size_is_that_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "model-00001.safetensors").write_bytes(b"\0" * 2000)
    assert parameters_of(ModelSpec(name=str(tmp_path))) == 1000
    assert parameters_of(ModelSpec(name="some/model")) is None


def test_the_pocket_on_two_cores_takes_about_four_minutes() -> None:
    spec = ModelSpec(name="pocket")
    weights = memory_bytes(135e6, spec, CPU)
    took = seconds(PLAN, 135e6, weights, bandwidth=10e9, flops=50e9)
    assert sum(took.values()) == pytest.approx(234, rel=0.2), "measured on 2 cores"


def test_what_is_left_out_takes_no_time() -> None:
    short = Plan(threads=(1,), new_tokens=8, generate=False, static=False)
    weights = 0.54e9
    took = seconds(short, 135e6, weights, bandwidth=10e9, flops=50e9)
    assert not [name for name in took if "generate" in name]
    assert sum(took.values()) < 40


def test_a_large_model_wants_a_gpu_and_any_model_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModelUnavailable, match="no GPU is used"):
        check_fits(ModelSpec(name="some/7b"), 7e9, CPU)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5e9))
    check_fits(ModelSpec(name="some/1b"), 1e9, CPU)
    with pytest.raises(ModelUnavailable, match=r"take 8.0 GB, and 5.0 GB of memory are free"):
        check_fits(ModelSpec(name="some/2b"), 2e9, CPU)


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [(3, "about 10 seconds"), (234, "about 4 minutes"), (9000, "about 2.5 hours")],
)
def test_a_duration_is_said_as_people_say_it(duration_s: float, words: str) -> None:
    assert in_words(duration_s) == words
