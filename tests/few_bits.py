"""Checkpoints in few bits as the tools that people use write them, packed here number by number.

Written from the formats' descriptions and apart from `inference.weights`, so that a mistake there
does not meet itself here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Stored: TypeAlias = tuple[dict[str, Tensor], Tensor]
"""(the tensors of a module by their last name, the weight that they mean in float32[n, k])"""

BITS = 4
AWQ_COLUMNS = (0, 2, 4, 6, 1, 3, 5, 7)
"""The column that each four bits of a number hold, the lowest first."""


@dataclass(frozen=True)
class Kind:
    """A way to store a checkpoint's weights."""

    settings: dict[str, Any]
    """``quantization_config``"""
    store: Callable[[Tensor], Stored]


def packed_rows(
    rows: list[list[int]], order: tuple[int, ...] = tuple(range(8)), *, bits: int = BITS
) -> Tensor:
    """int32[rows, columns · bits / 32]"""
    out, count = [], 32 // bits
    for row in rows:
        words = []
        for first in range(0, len(row), count):
            word = sum(
                (row[first + column] & ((1 << bits) - 1)) << (bits * i)
                for i, column in enumerate(order[:count])
            )
            words.append(word - (1 << 32) if word >= 1 << 31 else word)
        out.append(words)
    return torch.tensor(out, dtype=torch.int32)


def rounded(
    weight: Tensor, group: int, *, zeros: bool, bits: int = BITS
) -> tuple[Tensor, Tensor, Tensor]:
    """(int64[n, k] of 0 … 2**bits - 1, float32[n, groups], int64[n, groups])

    A group of -1 is a whole row.
    """
    n, k = weight.shape
    most = (1 << bits) - 1
    blocks = weight.float().view(n, -1, k if group == -1 else group)
    low, high = blocks.amin(-1), blocks.amax(-1)
    if zeros:
        scales = ((high - low) / most).clamp(min=1e-5).half().float()
        zero = (-low / scales).round().clamp(0, most)
    else:
        scales = (blocks.abs().amax(-1) / (most // 2)).clamp(min=1e-5).half().float()
        zero = torch.full_like(scales, 1 << (bits - 1))
    values = (blocks / scales[..., None] + zero[..., None]).round().clamp(0, most)
    return values.view(n, k).long(), scales, zero.long()


def meant(values: Tensor, scales: Tensor, zero: Tensor, group_of: Tensor) -> Tensor:
    """The weight, float32[n, k]."""
    return (values - zero[:, group_of]) * scales[:, group_of]


def groups_of(weight: Tensor, group: int) -> Tensor:
    """int64[k], the group of each column."""
    k = weight.shape[1]
    return torch.arange(k) // (k if group == -1 else group)


def awq(group: int, *, zeros: bool = True) -> Kind:
    """AutoAWQ's gemm."""

    def store(weight: Tensor) -> Stored:
        values, scales, zero = rounded(weight, group, zeros=zeros)
        tensors = {
            "qweight": packed_rows(values.T.tolist(), AWQ_COLUMNS),
            "qzeros": packed_rows(zero.T.tolist(), AWQ_COLUMNS),
            "scales": scales.T.half().contiguous(),
        }
        return tensors, meant(values, scales, zero, groups_of(weight, group))

    settings = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm"}
    return Kind({**settings, "zero_point": zeros}, store)


def gptq(
    group: int, *, zeros: bool = False, ordered: bool = False, version: int = 1, bits: int = BITS
) -> Kind:
    """AutoGPTQ's, its zeros less one; or GPTQModel's of version 2."""

    def store(weight: Tensor) -> Stored:
        k = weight.shape[1]
        by_group = groups_of(weight, group)
        order = torch.randperm(k, generator=torch.Generator().manual_seed(k)) if ordered else None
        columns = torch.arange(k) if order is None else order
        values, scales, zero = rounded(weight[:, columns], group, zeros=zeros, bits=bits)
        group_of = torch.empty(k, dtype=torch.long)
        group_of[columns] = by_group
        at_their_inputs = torch.empty_like(values)
        at_their_inputs[:, columns] = values
        qzeros = packed_rows(zero.T.tolist(), bits=bits)
        if version == 1:  # as GPTQModel makes it of version 2: a zero of 0 borrows
            qzeros -= int("1".zfill(bits // 4) * (32 // bits), 16)
        tensors = {
            "qweight": packed_rows(at_their_inputs.tolist(), bits=bits).T.contiguous(),
            "qzeros": qzeros,
            "scales": scales.T.half().contiguous(),
            "g_idx": group_of.int(),
        }
        return tensors, meant(at_their_inputs, scales, zero, group_of)

    settings = {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": not zeros}
    layout = "gptq" if version == 1 else "gptq_v2"
    return Kind({**settings, "desc_act": ordered, "checkpoint_format": layout}, store)


def pack_quantized(
    group: int, *, zeros: bool = False, ordered: bool = False, bits: int = BITS
) -> Kind:
    """compressed-tensors' integers: GPTQ's numbers, with rows for columns."""

    def store(weight: Tensor) -> Stored:
        by_rows = gptq(group, zeros=zeros, ordered=ordered, version=2, bits=bits)
        found, dense = by_rows.store(weight)
        tensors = {
            "weight_packed": found["qweight"].T.contiguous(),
            "weight_scale": found["scales"].T.contiguous(),
            "weight_shape": torch.tensor(weight.shape),
        }
        if zeros:  # GPTQ's, packed along the outputs too
            tensors["weight_zero_point"] = found["qzeros"].T.contiguous()
        if ordered:
            tensors["weight_g_idx"] = found["g_idx"]
        return tensors, dense

    strategy = {"strategy": "group", "group_size": group}
    weights = {"num_bits": bits, "type": "int"}
    weights |= {"strategy": "channel"} if group == -1 else strategy
    return Kind(compressed("pack-quantized", {**weights, "symmetric": not zeros}), store)


def int_quantized() -> Kind:
    """compressed-tensors' 8-bit integers, with a scale for each row."""

    def store(weight: Tensor) -> Stored:
        scale = (weight.abs().amax(1, keepdim=True) / 127).float()
        values = (weight / scale).round().clamp(-128, 127)
        tensors = {"weight": values.to(torch.int8), "weight_scale": scale}
        return tensors, values * scale

    weights = {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
    return Kind(compressed("int-quantized", weights), store)


def float8(strategy: str, tool: str = "compressed-tensors") -> Kind:
    """FP8 with a scale for each ``tensor``, ``channel`` or ``block`` of 128 × 128.

    Tools beside compressed-tensors: AutoFP8, and ``fine-grained``, which DeepSeek, Qwen and Mistral
    use. Where activations are in FP8 too, there is a scale for them, which means nothing here.
    """
    scale_name = "weight_scale_inv" if tool == "fine-grained" else "weight_scale"
    activations = {"AutoFP8": "input_scale", "fine-grained": "activation_scale"}.get(tool)

    def store(weight: Tensor) -> Stored:
        n, k = weight.shape
        scale = torch.zeros(n, k)
        rows, columns = {"tensor": (n, k), "channel": (1, k), "block": (128, 128)}[strategy]
        few = torch.zeros(-(-n // rows), -(-k // columns))
        for i in range(few.shape[0]):
            for j in range(few.shape[1]):
                at = (slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns))
                few[i, j] = weight[at].abs().max() / 448
                scale[at] = few[i, j]
        eighths = (weight / scale).to(torch.float8_e4m3fn)
        kept = few.view(()) if strategy == "tensor" else few
        tensors = {"weight": eighths, scale_name: kept}
        if activations is not None and strategy == "tensor":
            tensors[activations] = torch.tensor(0.5)
        return tensors, eighths.float() * scale

    size = [128, 128] if strategy == "block" else None
    if tool != "compressed-tensors":
        settings: dict[str, Any] = {"quant_method": "fp8", "activation_scheme": "static"}
        return Kind(
            settings if tool == "AutoFP8" else {**settings, "weight_block_size": size}, store
        )
    weights = {"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": True}
    weights |= {"block_structure": size}
    return Kind(compressed("float-quantized", weights), store)


def compressed(layout: str, weights: dict[str, Any]) -> dict[str, Any]:
    """compressed-tensors' ``quantization_config``."""
    group = {"targets": ["Linear"], "weights": weights}
    return {
        "quant_method": "compressed-tensors",
        "format": layout,
        "config_groups": {"group_0": group},
        "quantization_status": "compressed",
    }


def store_checkpoint(checkpoint: Path, few: Path, dense: Path, kind: Kind) -> None:
    """Write a checkpoint twice: its layers in few bits, and what these mean in float32."""
    for folder in (few, dense):
        folder.mkdir()
        for file in checkpoint.iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
    name = "model.safetensors"
    tensors = load_file(checkpoint / name)
    whole = dict(tensors)
    for found in [
        found for found in tensors if "layers." in found and found.endswith("_proj.weight")
    ]:
        if "vision" in found or "visual" in found:
            continue
        stored, whole[found] = kind.store(tensors.pop(found).float())
        module = found.removesuffix(".weight")
        tensors |= {f"{module}.{last}": value.contiguous() for last, value in stored.items()}
    save_file(tensors, few / name, metadata={"format": "pt"})
    save_file(
        {found: t.contiguous() for found, t in whole.items()},
        dense / name,
        metadata={"format": "pt"},
    )
    change_settings(few, lambda config: config.update(quantization_config=kind.settings))


def change_settings(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a checkpoint's config.json."""
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    change(settings)
    file.write_text(json.dumps(settings))
