"""The table of models: their shapes, what they need, and what is recommended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from bot import cli
from bot.doctor import model as doctor_model
from inference.bench import random_models
from inference.bench.random_llava import TEXT_SHAPES
from inference.catalogue import Card, Need, as_text, choosing, fast_models, fits_on, recommended
from inference.catalogue.choosing import MEASURED
from inference.catalogue.shapes import MODELS
from tests.models_document import FILE, document

BY_NAME = {model.name: model for model in MODELS}
EVERY = frozenset(BY_NAME)


def fits(gigabytes: float, threads: int = 8, tokens: int = 2000) -> list[Any]:
    card = Card(name="a card", memory_bytes=gigabytes * 1e9)
    return fits_on(card, Need(threads=threads, thread_tokens=tokens), fast=EVERY)


@pytest.mark.parametrize("name", [*TEXT_SHAPES, *random_models.MODELS])
def test_shapes_are_those_that_the_bench_builds(name: str) -> None:
    row = random_models._row(name)
    config = row.config(row.tokenizer())
    text = config.get_text_config(decoder=True)
    # Where a checkpoint is in FP8, the catalogue has the one in 16 bits, which can be quantized.
    model = BY_NAME.get(name) or BY_NAME[f"{name}-BF16"]
    assert (model.model_type, model.text_type) == (config.model_type, text.model_type)
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    assert (model.hidden, model.intermediate, model.layers) == (
        text.hidden_size,
        text.intermediate_size,
        text.num_hidden_layers,
    )
    assert (model.heads, model.kv_heads, model.head, model.vocabulary) == (
        text.num_attention_heads,
        text.num_key_value_heads,
        head,
        text.vocab_size,
    )
    model_class: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]
    with torch.device("meta"):
        built = model_class(config)
    assert model.parameters == pytest.approx(built.num_parameters(), rel=0.01)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", 8.77),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8.29),
        ("OpenGVLab/InternVL3_5-8B-HF", 8.5),
        ("mistralai/Ministral-3-14B-Instruct-2512-BF16", 13.9),
        ("google/gemma-3-12b-it", 12.2),
        ("zai-org/GLM-4.6V-Flash", 10.3),
        # 436,806,912 bytes of its decoder in Q8_0, of 34 for 32 weights, and the tower.
        ("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", 0.507),
    ],
)
def test_shapes_have_as_many_parameters_as_is_published(name: str, billions: float) -> None:
    assert BY_NAME[name].parameters / 1e9 == pytest.approx(billions, rel=0.01)
    assert BY_NAME[name].source


@pytest.mark.parametrize(
    ("name", "threads", "measured_gb"),
    [("llava-hf/llava-1.5-7b-hf", 4, 7.15), ("llava-hf/llava-1.5-13b-hf", 3, 10.73)],
)
def test_memory_is_what_was_measured(name: str, threads: int, measured_gb: float) -> None:
    found = next(
        fit
        for fit in fits(80, threads, 1000)
        if (fit.model.name, fit.precision) == (name, "4 bits")
    )
    assert found.needed_bytes / 1e9 == pytest.approx(measured_gb, rel=0.02)


def test_measured_speeds_stand_in_the_document() -> None:
    document = (FILE.parent / "performance.md").read_text(encoding="utf-8")
    for speeds in MEASURED.values():
        assert all(f"{speed:,.0f}" in document for speed in speeds.values())
    card = Card(name="NVIDIA H100 80GB HBM3", memory_bytes=80e9)
    found = fits_on(card, Need(threads=32), fast=EVERY)
    seven = next(fit for fit in found if "1.5-7b" in fit.model.name and fit.precision == "bf16")
    assert (seven.tokens_per_second, seven.all_tokens_per_second) == (194, 3243)
    assert "194*" in as_text(card, Need(threads=32), found)


@pytest.mark.parametrize("threads", [1, 8, 32])
def test_computed_speeds_are_near_the_measured_ones(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = dict(MEASURED)
    monkeypatch.setattr(choosing, "MEASURED", {})
    for (part, name, precision), speeds in measured.items():
        if threads not in speeds:
            continue
        tokens = 700 if "llava" in name else 2900 if "Intern" in name else 1300
        found = next(
            fit
            for fit in fits_on(
                Card(name=part, memory_bytes=1e12),
                Need(threads=threads, thread_tokens=tokens),
                fast=EVERY,
            )
            if (fit.model.name, fit.precision) == (name, precision)
        )
        wanted = pytest.approx(speeds[threads], rel=0.25)
        assert found.all_tokens_per_second == wanted, (part, name, precision)


def test_eight_billion_parameters_fit_a_card_of_12_gb_in_4_bits_but_not_one_of_8() -> None:
    eight = ("Qwen/Qwen3-VL-8B-Instruct", "4 bits")
    assert eight in [(fit.model.name, fit.precision) for fit in fits(12)]
    assert eight not in [(fit.model.name, fit.precision) for fit in fits(8)]


def test_more_threads_leave_room_for_fewer_models() -> None:
    assert len(fits(16, 1)) > len(fits(16, 8)) > len(fits(16, 64))


def test_the_best_model_on_the_fast_path_that_knows_japanese_is_recommended() -> None:
    found = fits(24)
    best = recommended(found)
    assert best is not None
    assert best.model.name == "Qwen/Qwen3-VL-8B-Instruct"
    slow = [replace(fit, is_fast="InternVL" in fit.model.name) for fit in found]
    other = recommended(slow)
    assert other is not None
    assert "InternVL" in other.model.name
    assert recommended([replace(fit, is_fast=False) for fit in found]) is None


def test_the_fast_path_itself_says_which_models_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "llava-hf/llava-1.5-7b-hf" in fast_models()
    monkeypatch.setattr("inference.catalogue.fast_path.MODEL_TYPES", frozenset({"qwen3_vl"}))
    assert all("Qwen3-VL" in name for name in fast_models())


def test_the_document_is_up_to_date() -> None:
    text = document()
    assert FILE.read_text(encoding="utf-8") == text, "run `python -m tests.models_document --write`"
    assert "## 24 GB" in text


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(doctor_model, "gpus", tuple)


def test_the_command_prints_a_table_and_one_recommendation(
    here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", "--memory", "12", "--threads", "4"]) == 0
    out = capsys.readouterr().out
    assert "what it holds with 4 threads of 2,000 tokens" in out
    assert out.splitlines()[-1] == "Recommended: MODEL=Qwen/Qwen3-VL-8B-Instruct QUANTIZE=int8"


def test_the_command_prints_json(here: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--memory", "24", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recommended"]["settings"] == "MODEL=Qwen/Qwen3-VL-8B-Instruct"
    assert all(row["needed_bytes"] <= 24e9 for row in found["models"])
    assert all(row["source"] for row in found["models"])


def test_a_card_too_small_for_all_is_told_of_the_pocket(
    here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", "--memory", "1"]) == 0
    assert "MODEL=pocket" in capsys.readouterr().out


def test_without_a_gpu_the_command_asks_for_a_size(
    here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models"]) == 1
    assert "for example --memory 24" in capsys.readouterr().err


def test_the_card_of_the_machine_is_taken(
    here: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = doctor_model.Gpu(
        name="NVIDIA GeForce RTX 4090", driver="1", total_bytes=24_564 << 20, free_bytes=0
    )
    monkeypatch.setattr(doctor_model, "gpus", lambda: (card,))
    assert cli.main(["models"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("NVIDIA GeForce RTX 4090, 26 GB:")
    assert "0.92 TB/s" in out


@pytest.mark.parametrize("size", ["24x", "-1", "0", "99999", ""])
def test_a_size_that_is_none_is_one_sentence(
    size: str, here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["models", f"--memory={size}"])
    assert f"'{size}' is not a number from 1 to 2048" in capsys.readouterr().err
