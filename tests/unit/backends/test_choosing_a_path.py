"""Which models and settings take the fast path, and what the bot says of the others."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from transformers import AutoConfig, GenerationConfig

from inference.backends import assemble_batching
from inference.backends.load import load_model
from inference.execution.linears import UnsupportedWeights
from inference.execution.sampling import unsupported_processor
from inference.progress import StreamProgress
from inference.serving.backend import run_inline
from inference.types import (
    FinishReason,
    ModelSpec,
)
from tests.stepper import Stepper
from tests.unit.backends.fast_path import COLOURS, answer_of, asking, both_paths, same, user


def changed(path: Path, folder: Path, **generation: object) -> Path:
    """A copy of a checkpoint whose generation config says something more."""
    shutil.copytree(path, folder, dirs_exist_ok=True)
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | generation))
    return folder


def test_ignore_eos_decodes_to_the_requested_length_on_both_paths(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    request = asking(user("What is this?", COLOURS[0]), tokens=8)
    fast, _ = both_paths(tiny_checkpoint("llava-1.5"))
    stepper = Stepper(fast)
    job = stepper.ask(request)
    stepper.run()
    folder = changed(tiny_checkpoint("llava-1.5"), tmp_path, eos_token_id=stepper.tokens[job][2])
    fast, plain = both_paths(folder)
    stepper = Stepper(fast)
    for ignore_eos, reason in ((False, FinishReason.STOP), (True, FinishReason.LENGTH)):
        sampling = replace(request.sampling, ignore_eos=ignore_eos)
        job = stepper.ask(replace(request, sampling=sampling))
        stepper.run()
        _, finished = answer_of(plain, job.request)
        assert finished.reason is stepper.finished(job).reason is reason
        assert finished.new_tokens == stepper.finished(job).new_tokens
        assert (finished.new_tokens == 8) is ignore_eos


def test_a_generation_configs_processors_apply_as_in_generate(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    usual, _ = both_paths(tiny_checkpoint("llava-onevision"))
    stepper = Stepper(usual)
    job = stepper.ask(asking(user("What is this?", COLOURS[0]), tokens=20))
    stepper.run()
    said = stepper.tokens[job]
    path = changed(
        tiny_checkpoint("llava-onevision"),
        tmp_path,
        repetition_penalty=1.4,
        suppress_tokens=sorted(set(said[:3])),
    )
    fast, plain = both_paths(path)
    stepper = Stepper(fast)
    jobs = [stepper.ask(asking(user(f"What is {i}?", COLOURS[i]), tokens=20 + i)) for i in range(3)]
    stepper.run()
    for job in jobs:
        same(stepper, job, lambda request: answer_of(plain, request))
        assert not set(said[:3]) & set(stepper.tokens[job])


def test_generation_configs_that_the_fast_path_lacks_take_the_plain_path(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    path = changed(tiny_checkpoint("llava-1.5"), tmp_path, no_repeat_ngram_size=3)
    backend = load_model(
        ModelSpec(name=str(path)), cache_dir=path, progress=StreamProgress(io.StringIO())
    )
    assert backend.model.engine == "transformers"
    assert backend.model.why_not_fast == "its generation config sets no_repeat_ngram_size"


def test_neutral_values_in_a_generation_config_do_not_matter() -> None:
    for name, value in (("min_length", 1), ("num_beams", 1), ("no_repeat_ngram_size", 0)):
        assert unsupported_processor(GenerationConfig(**{name: value})) is None
    for name, value in (("min_length", 5), ("min_new_tokens", 1), ("num_beams", 2)):
        assert unsupported_processor(GenerationConfig(**{name: value})) == name


def test_where_no_kernel_can_be_compiled_the_plain_path_says_why(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.set_device", lambda _: None)
    monkeypatch.setitem(sys.modules, "triton", None)
    config = AutoConfig.from_pretrained(tiny_checkpoint("llava-1.5"))
    with pytest.raises(UnsupportedWeights, match=r"no kernel can be compiled .*triton"):
        assemble_batching._skinny(config, torch.device("cuda"), tmp_path)


def test_keys_with_biases_or_norms_are_cached_in_int8_only_on_request() -> None:
    def dtype(
        bits: int, bias: object, asked: Literal["auto", "none", "int8"], norm: object = None
    ) -> torch.dtype:
        layer = SimpleNamespace(qkv_bias=bias, k_norm=norm)
        decoder: Any = SimpleNamespace(bits=bits, dtype=torch.bfloat16, layers=[layer])
        return assemble_batching._cache_dtype(ModelSpec(name="", quantize_cache=asked), decoder)

    assert dtype(4, None, "auto") == torch.int8
    assert dtype(16, None, "auto") == torch.bfloat16
    assert dtype(4, torch.ones(1), "auto") == torch.bfloat16
    assert dtype(4, None, "auto", norm=torch.ones(1)) == torch.bfloat16
    assert dtype(4, torch.ones(1), "int8") == torch.int8
    assert dtype(4, None, "none") == torch.bfloat16


@torch.inference_mode()
def test_an_int8_cache_generates_no_token_that_the_model_finds_unlikely(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    fast, plain = both_paths(tiny_checkpoint("llava-1.5"), quantize_cache="int8")
    assert fast.model.cache_dtype == "int8"
    stepper = Stepper(fast)
    jobs = [stepper.ask(asking(user(f"What is {i}?", COLOURS[i]), tokens=20)) for i in range(3)]
    stepper.run()
    for job in jobs:
        inputs = dict(plain._prepare(job.request.messages))
        said = stepper.tokens[job]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([said])], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        logits = plain._weights(**inputs).logits[0, -len(said) - 1 : -1]
        behind = logits.max(-1).values - logits[range(len(said)), said]
        assert float(behind.max()) < 0.02 * float(logits.std())
    assert fast.token_bytes < 0.4 * both_paths(tiny_checkpoint("llava-1.5"))[0].token_bytes


def test_other_families_take_the_plain_path_and_say_why(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    path = tiny_checkpoint("blip-2")
    told = io.StringIO()
    backend = load_model(ModelSpec(name=str(path)), cache_dir=path, progress=StreamProgress(told))
    assert backend.model.engine == "transformers"
    assert "its architecture is" in str(backend.model.why_not_fast)
    assert "plain (its architecture is" in told.getvalue()
    assert run_inline(backend, asking(user("What is this?", COLOURS[0])))
