"""`QUANTIZE` on a CPU: the fast path holds the weights in 8 bits."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.backends.load import load_model
from inference.execution.int8 import Int8Linear
from inference.progress import StreamProgress
from inference.types import ModelSpec, Quantization
from tests.stepper import Stepper
from tests.unit.backends.fast_path import COLOURS, asking, each, user
from tests.unit.backends.test_checkpoints import change_config, copied


def loaded(path: Path, **options: Any) -> tuple[BatchingBackend, str]:
    """A model on the fast path, and what was said meanwhile."""
    said = io.StringIO()
    spec = ModelSpec(name=str(path), device="cpu", **options)
    backend = load_model(spec, cache_dir=path, progress=StreamProgress(said))
    assert isinstance(backend, BatchingBackend)
    return backend, said.getvalue()


@pytest.mark.parametrize("quantize", ["int8", "nf4"])
@pytest.mark.parametrize("family", each(["llava-1.5", "qwen2.5-vl", "qwen3-vl", "gemma-3"]))
def test_a_model_answers_with_weights_and_head_in_8_bits(
    family: str, quantize: Quantization, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend, said = loaded(tiny_checkpoint(family), quantize=quantize)
    decoder = backend._runner._decoder  # type: ignore[attr-defined]
    assert isinstance(decoder.head, Int8Linear)
    assert {type(layer.down_proj) for layer in decoder.layers} == {Int8Linear}
    assert (decoder.bits, decoder.dtype) == (8, torch.float32)
    assert backend.model.weights == "int8"
    assert ("QUANTIZE=nf4 holds the weights in 8 bits" in said) is (quantize == "nf4")
    stepper = Stepper(backend)
    jobs = [stepper.ask(asking(user(f"What is {i}?", COLOURS[i]), tokens=6)) for i in range(2)]
    stepper.run()
    for job in jobs:
        assert stepper.finished(job).new_tokens >= 1


@pytest.mark.parametrize(
    ("family", "options", "dtype"),
    [
        ("llava-1.5", {"quantize": "int8"}, torch.bfloat16),
        ("llava-1.5", {"quantize": "int8", "quantize_cache": "none"}, torch.float32),
        ("llava-1.5", {"quantize": "int8", "quantize_cache": "int8"}, torch.int8),
        ("llava-1.5", {}, torch.float32),
        ("qwen2.5-vl", {"quantize": "int8"}, torch.float32),  # has biases
    ],
)
def test_beside_weights_in_8_bits_the_cache_has_16(
    family: str,
    options: dict[str, Any],
    dtype: torch.dtype,
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    backend, _ = loaded(tiny_checkpoint(family), **options)
    assert backend._runner.cache.dtype == dtype


def test_weights_in_8_bits_take_less_memory(tiny_checkpoint: Callable[[str], Path]) -> None:
    whole, _ = loaded(tiny_checkpoint("llava-1.5"))
    small, _ = loaded(tiny_checkpoint("llava-1.5"), quantize="int8")
    assert whole.model.weights_bytes is not None
    assert small.model.weights_bytes is not None
    assert small.model.weights_bytes < 0.7 * whole.model.weights_bytes


def test_an_origin_in_a_gguf_is_no_quantization(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    origin = {"quant_method": "gguf", "gguf_file": "decoder.gguf", "dequantize": False}
    change_config(
        folder, lambda settings: settings["text_config"].update(quantization_config=origin)
    )
    backend, said = loaded(folder, quantize="int8")
    assert backend.model.weights == "int8"
    assert "no effect" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_a_loaded_model_keeps_no_weights_file_in_memory(
    quantize: Quantization, tiny_checkpoint: Callable[[str], Path]
) -> None:
    folder = tiny_checkpoint("llava-1.5")
    backend, _ = loaded(folder, quantize=quantize)
    gc.collect()
    assert str(folder / "model.safetensors") not in Path("/proc/self/maps").read_text()
    assert backend.model.engine == "fast"
