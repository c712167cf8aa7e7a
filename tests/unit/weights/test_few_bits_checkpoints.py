"""Checkpoints in few bits answer as the weights that they mean."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.backends.load import load_model, load_weights
from inference.errors import ModelUnavailable
from inference.progress import StreamProgress
from inference.serving.backend import run_inline
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling, TextDelta
from inference.weights.quantizer import FewBitsConfig, FewBitsQuantizer
from inference.weights.scheme import scheme_of
from tests.few_bits import (
    Kind,
    awq,
    change_settings,
    compressed,
    float8,
    gptq,
    int_quantized,
    pack_quantized,
    store_checkpoint,
)
from tests.pictures import plain_picture

KINDS: dict[str, Kind] = {
    "awq": awq(64),
    "awq in groups of 32": awq(32),
    "awq without zeros": awq(32, zeros=False),
    "gptq": gptq(32),
    "gptq with zeros": gptq(32, zeros=True),
    "gptq of version 2": gptq(64, zeros=True, version=2),
    "gptq in the order of activations": gptq(32, ordered=True),
    "pack-quantized": pack_quantized(32),
    "pack-quantized with zeros": pack_quantized(32, zeros=True),
    "pack-quantized in the order of activations": pack_quantized(32, zeros=True, ordered=True),
    "int-quantized": int_quantized(),
    "fp8, a scale for each tensor": float8("tensor"),
    "fp8, a scale for each row": float8("channel"),
    "fp8 in blocks": float8("block", "fine-grained"),
    "fp8 in blocks, by compressed-tensors": float8("block"),
    "fp8 by AutoFP8": float8("tensor", "AutoFP8"),
    "fp8 as Mistral's": float8("tensor", "fine-grained"),
}
FAMILIES = {
    "awq": "qwen2.5-vl",
    "pack-quantized": "qwen3-vl",
    "fp8 in blocks": "llava-onevision",
    "gptq": "glm-4.6v",
    "fp8 as Mistral's": "ministral-3",
}
"""The others are LLaVA-1.5."""


def loaded(folder: Path, **options: Any) -> tuple[Any, str]:
    said = io.StringIO()
    spec = ModelSpec(name=str(folder), **options)
    return load_weights(
        spec, cache_dir=folder, progress=StreamProgress(said)
    ).weights, said.getvalue()


def written(
    tiny_checkpoint: Callable[[str], Path], folder: Path, kind: Kind, family: str = "llava-1.5"
) -> tuple[Path, Path]:
    """(the checkpoint in few bits, the same in float32)"""
    few, dense = folder / "few", folder / "dense"
    store_checkpoint(tiny_checkpoint(family), few, dense, kind)
    return few, dense


def answer(folder: Path) -> str:
    spec = ModelSpec(name=str(folder))
    backend = load_model(spec, cache_dir=folder, progress=StreamProgress(io.StringIO()))
    assert backend.model.engine == "fast"
    question = Message(role=Role.USER, text="What is this?", pictures=(plain_picture(),))
    request = GenerationRequest(
        messages=(question,), sampling=Sampling(temperature=0.0, max_new_tokens=12)
    )
    chunks = run_inline(backend, request)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


def test_what_a_loader_leaves_in_the_checkpoints_type_gets_the_models() -> None:
    quantizer = FewBitsQuantizer(FewBitsConfig(scheme=None, modules={}))  # type: ignore[arg-type]
    model = torch.nn.Linear(8, 8, dtype=torch.bfloat16)
    quantizer._process_model_before_weight_loading(model)
    model.weight.data = model.weight.data.half()  # as transformers before 5.23 does
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantizer, "remove_quantization_config", lambda _: None)
        quantizer._process_model_after_weight_loading(model)
    assert {each.dtype for each in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_weights_that_a_checkpoint_means(
    kind: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    family = FAMILIES.get(kind, "llava-1.5")
    few, dense = written(tiny_checkpoint, tmp_path, KINDS[kind], family)
    (got, said), (wanted, _) = loaded(few), loaded(dense)
    assert "not used" not in said
    tokens = torch.arange(5, 21).unsqueeze(0)
    with torch.inference_mode():
        logits, reference = (model(input_ids=tokens).logits for model in (got, wanted))
    assert torch.allclose(logits, reference, atol=1e-5)
    assert not torch.allclose(logits[:, :1], logits[:, -1:], atol=1e-3)  # they do say something


LAYOUTS = {
    **{f"awq in groups of {group}": awq(group) for group in (32, 64, 128, -1)},
    **{f"gptq in groups of {group}": gptq(group) for group in (32, 64, 128, -1)},
    **{f"pack-quantized in groups of {group}": pack_quantized(group) for group in (64, 128, -1)},
    "awq without zeros": awq(128, zeros=False),
    "gptq with zeros": gptq(128, zeros=True),
    "gptq with zeros, a group for each row": gptq(-1, zeros=True),
    "gptq of version 2 with zeros": gptq(128, zeros=True, version=2),
    "gptq in the order of activations": gptq(128, zeros=True, ordered=True),
    "gptq in the order of activations, a group for each row": gptq(-1, ordered=True),
    "gptq in 8 bits": gptq(128, bits=8),
    "gptq in 8 bits with zeros": gptq(128, bits=8, zeros=True),
    "pack-quantized with zeros": pack_quantized(128, zeros=True),
    "pack-quantized with zeros, a scale for each row": pack_quantized(-1, zeros=True),
    "pack-quantized in 8 bits": pack_quantized(128, bits=8),
    "pack-quantized in 8 bits with zeros": pack_quantized(128, bits=8, zeros=True),
    "fp8 in blocks that end early": float8("block", "fine-grained"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_means_the_weight_that_its_tool_has_stored(layout: str) -> None:
    kind = LAYOUTS[layout]
    weight = torch.randn(48, 384, generator=torch.Generator().manual_seed(1))
    weight[:6] = weight[:6].abs()  # the zeros of its groups are 0
    weight[6:9] = -weight[6:9].abs()  # and 15 or 255
    stored, wanted = kind.store(weight)
    scheme = scheme_of(kind.settings, name="few")
    assert scheme is not None
    got = scheme.dequantized(stored, (48, 384), torch.float32)
    assert torch.allclose(got, wanted, atol=1e-6)
    most = 0.2 if scheme.bits == 8 else 1.5  # nothing is far from what it was
    assert (got - weight).abs().max() < most


def test_a_question_about_a_picture_takes_the_fast_path(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    few, dense = written(tiny_checkpoint, tmp_path, KINDS["awq"], "qwen2.5-vl")
    assert answer(few) == answer(dense) != ""


LACKING = {
    "awq": "scales",
    "gptq": "qzeros",
    "pack-quantized": "weight_scale",
    "fp8 in blocks": "weight_scale_inv",
}


@pytest.mark.parametrize("kind", LACKING)
def test_a_layer_that_lacks_one_of_its_tensors_is_refused_and_the_tensor_named(
    kind: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    few, _ = written(tiny_checkpoint, tmp_path, KINDS[kind])
    file = few / "model.safetensors"
    lost = f"layers.1.mlp.down_proj.{LACKING[kind]}"
    kept = {name: tensor for name, tensor in load_file(file).items() if not name.endswith(lost)}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"incomplete: 1 of \d+ tensors are missing") as e:
        loaded(few)
    assert lost in str(e.value)


def test_tensors_of_other_sizes_than_the_config_says_are_refused(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    few, _ = written(tiny_checkpoint, tmp_path, KINDS["awq"])
    change_settings(few, lambda config: config["text_config"].update(intermediate_size=128))
    with pytest.raises(ModelUnavailable, match=r"do not fit its config.json \(\[64, 64\] instead"):
        loaded(few)


FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "AWQ for another kernel": (awq(64).settings | {"version": "gemv"}, "AWQ's version 'gemv'"),
    "GPTQ in 3 bits": (gptq(32).settings | {"bits": 3}, "GPTQ's layout 'gptq' with 3 bits"),
    "GPTQ for another kernel": (
        gptq(32).settings | {"checkpoint_format": "marlin"},
        "GPTQ's layout 'marlin'",
    ),
    "GPTQ in several widths": (
        gptq(32).settings | {"dynamic": {"+:.*down_proj.*": {"bits": 8}}},
        "GPTQ with several widths in one model",
    ),
    "NVFP4": (
        compressed("nvfp4-pack-quantized", {"num_bits": 4, "type": "float"}),
        "format 'nvfp4-pack-quantized' with 4 bits",
    ),
    "sparse": (
        pack_quantized(32).settings | {"sparsity_config": {"format": "sparse-24-bitmask"}},
        "sparse format 'sparse-24-bitmask'",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_scheme_that_is_not_read_is_named_with_a_way_out(
    what: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    settings, named = FOREIGN[what]
    few, _ = written(tiny_checkpoint, tmp_path, KINDS["awq"])
    change_settings(few, lambda config: config.update(quantization_config=settings))
    with pytest.raises(ModelUnavailable, match="set MODEL to a checkpoint in AWQ, GPTQ or") as e:
        loaded(few)
    assert named in str(e.value)


def test_layers_that_a_checkpoint_leaves_whole_stay_whole(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    few, dense = written(tiny_checkpoint, tmp_path, KINDS["gptq"])
    whole = load_file(dense / "model.safetensors")
    kept = {n: t for n, t in load_file(few / "model.safetensors").items() if "down_proj" not in n}
    kept |= {n: t for n, t in whole.items() if "down_proj" in n}
    save_file(kept, few / "model.safetensors", metadata={"format": "pt"})
    change_settings(
        few,
        lambda config: config["quantization_config"].update(dynamic={"-:.*down_proj.*": {}}),
    )
    tokens = torch.arange(5, 21).unsqueeze(0)
    with torch.inference_mode():
        got, wanted = (loaded(folder)[0](input_ids=tokens).logits for folder in (few, dense))
    assert torch.allclose(got, wanted, atol=1e-5)


def test_the_start_says_what_is_held_and_how_much_memory_it_takes(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    few, dense = written(tiny_checkpoint, tmp_path, KINDS["awq"], "qwen2.5-vl")
    stored = sum(tensor.nbytes for tensor in load_file(dense / "model.safetensors").values())
    for engine in ("auto", "transformers"):
        said = io.StringIO()
        spec = ModelSpec(name=str(few), engine=engine)
        model = load_model(spec, cache_dir=few, progress=StreamProgress(said)).model
        assert model.weights_bytes == pytest.approx(stored, rel=0.02)
        assert f"({model.weights}, {stored / 1e9:.1f} GB); its path:" in said.getvalue()


def test_quantize_has_no_effect_on_few_bits_and_the_start_says_so(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    few, _ = written(tiny_checkpoint, tmp_path, KINDS["awq"])
    _, said = loaded(few, quantize="nf4")
    assert "QUANTIZE=nf4 has no effect: its weights are in few bits already (awq)." in said
