"""Which modules of a model a checkpoint holds in few bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from inference.weights.scheme import Scheme

ONE_BYTE = frozenset({torch.int8, torch.float8_e4m3fn, torch.float8_e5m2})


def quantized_modules(
    model: Any,
    stored: Mapping[str, Tensor],
    scheme: Scheme,
    *,
    unexpected: Collection[str],
    missing: Collection[str],
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """Sort a checkpoint's tensors that a plain model does not have.

    Args:
        model: what the config describes without its quantization, on the meta device.
        stored: the checkpoint's tensors by their own names, on the meta device.
        scheme: the checkpoint's.
        unexpected: names of tensors that it does not have, as its modules are called.
        missing: names of tensors that the checkpoint does not have.

    Returns: (the names of the tensors of each module in few bits, the tensors that these lack).
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name in unexpected:
        module, _, tensor = name.rpartition(".")
        if tensor in scheme.layout.names:
            found[module].add(tensor)
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    modules, lacking = {}, _without_scale(stored, scheme)
    for module in sorted(found.keys() & linear):
        tensors = found[module]
        if "weight" in scheme.layout.names and f"{module}.weight" not in missing:
            tensors.add("weight")
        modules[module] = frozenset(tensors)
        lacking += [f"{module}.{name}" for name in sorted(scheme.layout.required - tensors)]
    return modules, tuple(lacking)


def _without_scale(stored: Mapping[str, Tensor], scheme: Scheme) -> list[str]:
    """What is missing beside weights of one byte, which alone look like any others."""
    others = sorted(scheme.layout.required - {"weight"})
    return [
        f"{module}.{other}"
        for module, found, name in (key.rpartition(".") for key in stored)
        if name == "weight" and stored[f"{module}{found}{name}"].dtype in ONE_BYTE
        for other in others
        if f"{module}.{other}" not in stored
    ]
