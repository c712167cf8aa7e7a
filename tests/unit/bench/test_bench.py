"""`llava-bot bench`: every figure is measured, and reported in the requested form."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from inference.backends.batching import BatchingBackend
from inference.backends.load import backend_of, described
from inference.bench import (
    random_gemma,
    random_llava,
    random_mistral,
    random_models,
    random_qwen,
    random_tiles,
)
from inference.bench.baselines import floor_tokens_per_second
from inference.bench.random_tokenizer import RandomModel
from inference.bench.report import Report, check_plot, plot, table
from inference.bench.run import Options, run
from inference.bench.workloads import picture_of, picture_px
from inference.errors import ModelUnavailable
from inference.prompts.prompt import Prompt
from inference.types import Finished, GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.stepper import Stepper
from tests.tiny_models import byte_tokenizer

pytestmark = pytest.mark.heavy

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(random_llava.TEXT_SHAPES, "small", SMALL)
        patch.setitem(random_llava.TOWER, "num_hidden_layers", 3)
        patch.setitem(random_llava.TOWER, "intermediate_size", 64)
        options = Options(
            spec=ModelSpec(name="small", device="cpu"),
            random_weights=True,
            threads=(1, 3),
            new_tokens=24,
        )
        return run(options, cache_dir=tmp_path_factory.mktemp("cache"), progress=io.StringIO())


def test_the_engine_is_compared_with_generate_and_the_floor(report: Report) -> None:
    results = json.loads(report.to_json())
    assert results["path"] == "fast"
    assert [measured["threads"] for measured in results["throughput"]] == [1, 3]
    assert all(measured["whole_tokens_per_second"] > 0 for measured in results["throughput"])
    assert results["generate"]["tokens_per_second"] > 0
    assert all(speedup > 0 for speedup in results["speedup_over_generate"])
    assert all(floor > 0 for floor in results["floor"])


def test_tokens_a_step_are_counted_and_an_answer_that_repeats_itself_has_more(
    report: Report,
) -> None:
    assert len(report.tokens_per_step) == 2
    assert all(per_step is not None and per_step >= 1 for per_step in report.tokens_per_step)
    assert report.quoting is not None
    assert report.quoting.tokens_per_step > 1.2
    assert report.quoting.tokens_per_second > 0


def test_first_tokens_are_measured_for_a_new_picture_and_a_follow_up(report: Report) -> None:
    assert abs(report.prompt_tokens - (576 + 60)) <= 2  # and the line break after a picture
    assert report.first_tokens is not None
    assert report.first_tokens.prefix_hit > 0.95
    assert report.pictures_encoded_again == 0
    assert report.first_tokens.follow_up_device_ms < report.first_tokens.new_picture_device_ms


def test_the_table_names_every_figure(report: Report) -> None:
    text = table(report)
    for part in (
        "generate()",
        "3 threads",
        "floor",
        "tokens a step",
        "1 thread, repeating",
        "first token, new picture",
        "gap between",
        "memory",
    ):
        assert part in text


def test_the_chart_is_a_png(report: Report, tmp_path: Path) -> None:
    plot(report, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_a_missing_folder_for_the_chart_is_one_sentence(tmp_path: Path) -> None:
    check_plot(tmp_path / "chart.png")
    with pytest.raises(ModelUnavailable, match="There is no folder for --plot"):
        check_plot(tmp_path / "nowhere" / "chart.png")


def test_unknown_shapes_are_one_sentence() -> None:
    with pytest.raises(ModelUnavailable, match="knows the shapes of"):
        random_models.random_model(ModelSpec(name="somebody/else"), torch.device("cpu"))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8_292_166_656),
        ("Qwen/Qwen3-VL-4B-Instruct", 4_437_815_808),
        ("Qwen/Qwen3-VL-8B-Instruct", 8_767_123_696),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 2_246_784_880),
        ("OpenGVLab/InternVL3_5-8B-HF", 8_528_318_464),
        ("mistralai/Ministral-3-8B-Instruct-2512", 8_918_026_240),
        ("google/gemma-3-12b-it", 12_187_325_040),
    ],
)
def test_random_weights_have_the_shapes_of_the_released_checkpoints(
    name: str, parameters: int
) -> None:
    row = random_models.MODELS[name]
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(row.config(byte_tokenizer(bos=False)))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


SMALL_TEXT = {
    "vocab_size": 1024,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


def answered_about_a_picture(
    row: RandomModel, folder: Path
) -> tuple[BatchingBackend, Prompt, Finished]:
    """A model with random weights, the prompt of its first answer, and the answer's end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(random_models.MODELS, "small", row)
        spec = ModelSpec(name="small", device="cpu")
        loaded = described(*random_models.random_model(spec, torch.device("cpu")), spec)
    backend = backend_of(loaded, spec, cache_dir=folder)
    assert isinstance(backend, BatchingBackend)
    picture = picture_of(1, picture_px(backend.model))
    question = Message(role=Role.USER, text="What is it?", pictures=(picture,))
    sampling = Sampling(temperature=1.0, max_new_tokens=6, seed=1, ignore_eos=True)
    stepper = Stepper(backend)
    job = stepper.ask(GenerationRequest(messages=(question,), sampling=sampling))
    stepper.run()
    assert stepper.text(job)  # its tokens are words
    return backend, stepper.prompts[job], stepper.finished(job)


def test_a_model_whose_tokens_follow_a_pictures_size_is_shown_a_megapixel(tmp_path: Path) -> None:
    tower = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 64,
        "deepstack_visual_indexes": [0],
    }
    row = random_qwen.qwen3(vision=tower, text=SMALL_TEXT, tie=True)
    _, prompt, finished = answered_about_a_picture(row, tmp_path)
    (span,) = prompt.spans
    assert span.grid == (32, 32)
    assert finished.new_tokens == 6


SMALL_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        (
            random_tiles.smolvlm(
                vision=SMALL_TOWER | {"image_size": 42, "patch_size": 14},
                text=SMALL_TEXT,
                scale=3,
            ),
            4 * 4 + 1,
        ),
        (random_tiles.internvl(vision=SMALL_TOWER, text=SMALL_TEXT, side=28), 3 * 3 + 1),
        (random_mistral.ministral3(SMALL_TEXT, SMALL_TOWER | {"head_dim": 16}), 37 * 37),
        (
            random_gemma.gemma3(
                SMALL_TEXT, SMALL_TOWER | {"image_size": 56, "patch_size": 14}, picture_tokens=4
            ),
            4,
        ),
    ],
)
def test_a_model_with_random_weights_is_shown_a_megapixel_in_its_own_way(
    row: RandomModel, tokens: int, tmp_path: Path
) -> None:
    backend, prompt, finished = answered_about_a_picture(row, tmp_path)
    placeholder = backend._prompts.placeholder_id
    assert prompt.tokens.count(placeholder) == tokens
    assert finished.new_tokens == 6


def test_the_floor_reads_weights_and_shared_tokens_once() -> None:
    token_bytes = 2 * 2 * 4 * 16 * 2

    def floor(threads: int, own_tokens: int) -> float:
        return floor_tokens_per_second(
            1_000_000,
            token_bytes,
            threads=threads,
            context_tokens=100,
            own_tokens=own_tokens,
            bandwidth=1e9,
        )

    assert floor(1, 100) == pytest.approx(1e9 / (1_000_000 + 100 * token_bytes))
    assert floor(4, 100) == pytest.approx(4e9 / (1_000_000 + 400 * token_bytes))
    assert floor(4, 20) == pytest.approx(4e9 / (1_000_000 + 160 * token_bytes))


def test_a_model_without_a_fast_path_is_measured_on_the_plain_path(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    options = Options(
        spec=ModelSpec(name=str(tiny_checkpoint("blip-2")), device="cpu"),
        threads=(2,),
        new_tokens=6,
        generate=False,
    )
    report = run(options, cache_dir=tmp_path, progress=io.StringIO())
    assert report.path == "transformers"
    assert report.floor == [None]
    assert "2 threads" in table(report)
    assert report.device_memory_gib > 0.05  # torch alone takes more
    assert "GiB, with a cache" not in table(report)
