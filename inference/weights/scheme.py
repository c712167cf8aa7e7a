"""What a checkpoint's config says of its quantization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inference.errors import ModelUnavailable
from inference.weights import layouts
from inference.weights.integers import IntegerWeight
from inference.weights.layouts import Layout, Shape, Tensors

METHODS = frozenset({"awq", "gptq", "compressed-tensors", "fp8"})
"""What is read here; transformers has its own ways for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a checkpoint's quantized modules are stored."""

    name: str
    """As people call it: ``AWQ``, ``GPTQ``, ``compressed-tensors``, ``FP8``."""
    bits: int
    layout: Layout
    unpack: Callable[[Tensors, Shape, int], IntegerWeight] | None = None
    """None: floats, see `block`."""
    block: Shape | None = None
    """Rows and columns of floats that share a scale."""

    def integers(self, tensors: Mapping[str, Tensor], shape: Shape) -> IntegerWeight:
        """Unpack a module's integers. Raises: ForeignLayout."""
        assert self.unpack is not None  # noqa: S101 - the caller asks `layout.floating`
        return self.unpack(tensors, shape, self.bits)

    def dequantized(
        self, tensors: Mapping[str, Tensor], shape: Shape, dtype: torch.dtype
    ) -> Tensor:
        """Unpack a module's weight, dtype[n, k]. Raises: ForeignLayout."""
        if self.layout.floating:
            return layouts.float8(tensors, shape, dtype, block=self.block)
        return self.integers(tensors, shape).dequantized(dtype)


def scheme_of(settings: Mapping[str, Any] | None, *, name: str) -> Scheme | None:
    """Return what a quantization config describes.

    Args:
        settings: see `quantization_of`.
        name: of the model, as the operator wrote it.

    Returns: None if there is none, or if it is transformers' to read.

    Raises:
        ModelUnavailable: it is of a kind read here, in a variant that is not.
    """
    method = None if settings is None else _text(settings.get("quant_method"))
    if settings is None or method not in METHODS:
        return None
    found = {
        "awq": _awq,
        "gptq": _gptq,
        "compressed-tensors": _compressed_tensors,
        "fp8": _fp8,
    }[method](settings)
    if isinstance(found, Scheme):
        return found
    raise ModelUnavailable(
        f"The weights of the model '{name}' are stored in a way that is not read here ({found}): "
        "set MODEL to a checkpoint in AWQ, GPTQ or compressed-tensors with 4-bit integers, in FP8, "
        "or in 16 bits with QUANTIZE=nf4."
    )


def _awq(settings: Mapping[str, Any]) -> Scheme | str:
    version = _text(settings.get("version", "gemm"))
    bits = settings.get("bits", settings.get("w_bit", 4))
    if version != "gemm" or bits != 4:
        return f"AWQ's version '{version}' with {bits} bits"
    return Scheme(name="AWQ", bits=4, layout=layouts.AWQ, unpack=layouts.awq)


def _gptq(settings: Mapping[str, Any]) -> Scheme | str:
    bits = settings.get("bits", 4)
    layout = _text(settings.get("checkpoint_format") or "gptq")
    if bits not in {4, 8} or layout not in {"gptq", "gptq_v2"}:
        return f"GPTQ's layout '{layout}' with {bits} bits"
    # Modules that are left out begin with a minus; others have widths of their own.
    if any(not str(pattern).startswith("-") for pattern in settings.get("dynamic") or ()):
        return "GPTQ with several widths in one model"
    unpack = partial(layouts.gptq, minus_one=layout == "gptq")
    return Scheme(name="GPTQ", bits=bits, layout=layouts.GPTQ, unpack=unpack)


def _compressed_tensors(settings: Mapping[str, Any]) -> Scheme | str:
    groups = list((settings.get("config_groups") or {}).values())
    formats = {_text(group.get("format") or settings.get("format")) for group in groups}
    weights = [group.get("weights") or {} for group in groups]
    sparse = (settings.get("sparsity_config") or {}).get("format", "dense")
    if sparse != "dense":
        return f"compressed-tensors' sparse format '{sparse}'"
    kinds = {(found.get("type"), found.get("num_bits"), found.get("strategy")) for found in weights}
    if len(kinds) != 1 or len(formats) != 1:
        return "compressed-tensors with several schemes in one model"
    ((kind, bits, strategy),), (layout,) = kinds, formats
    name = "compressed-tensors"
    block = None
    if strategy == "block":
        rows, columns = weights[0]["block_structure"]
        block = (int(rows), int(columns))
    match layout, kind, bits:
        case "pack-quantized", "int", 4 | 8:
            return Scheme(name=name, bits=bits, layout=layouts.PACKED, unpack=layouts.packed)
        case "int-quantized" | "naive-quantized", "int", 8:
            return Scheme(name=name, bits=8, layout=layouts.INT8, unpack=layouts.int8)
        case "float-quantized" | "naive-quantized", "float", 8:
            return Scheme(name="FP8", bits=8, layout=layouts.FLOAT8, block=block)
    return f"compressed-tensors' format '{layout}' with {bits} bits"


def _fp8(settings: Mapping[str, Any]) -> Scheme | str:
    size = settings.get("weight_block_size")
    block = None if size is None else (int(size[0]), int(size[1]))
    # AutoFP8 knows no blocks, and has another name for scales than those who do.
    layout = layouts.FLOAT8_INVERSE if "weight_block_size" in settings else layouts.FLOAT8
    return Scheme(name="FP8", bits=8, layout=layout, block=block)


def _text(found: Any) -> str:
    """Of a string or a member of an enumeration."""
    return str(getattr(found, "value", found))
