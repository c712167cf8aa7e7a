"""What the measurements will need and how long they will take, before they begin.

Rough on purpose: a decode step reads all weights once, a prefill computes with all of them once
per token. Checked against the pocket model on 2 cores: 220 s forecast, 234 s measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from inference.bench.baselines import read_bandwidth
from inference.bench.random_llava import TEXT_SHAPES, VOCABULARY
from inference.errors import ModelUnavailable
from inference.names import POCKET, resolve_name
from inference.types import ModelSpec, Quantization

POCKET_PARAMETERS = 135e6
TOWER_PARAMETERS = 0.33e9
SMALL_PARAMETERS = 3e9
"""What a CPU can be expected to measure."""
PROMPT_TOKENS = 640
FLOPS_PER_CORE = 25e9
GPU_FLOPS = 100e12
GPU_BANDWIDTH = 1.5e12
BYTES: dict[Quantization, float] = {"int8": 1.0, "nf4": 0.56}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, as far as its duration depends on it."""

    threads: tuple[int, ...]
    new_tokens: int
    generate: bool
    static: bool


def parameters_of(spec: ModelSpec) -> float | None:
    """Parameters by the name or the folder; `None`: neither tells."""
    name = resolve_name(spec.name)
    if name == POCKET:
        return POCKET_PARAMETERS
    if (shape := TEXT_SHAPES.get(name)) is not None:
        hidden = shape["hidden_size"]
        layer = 4 * hidden**2 + 3 * hidden * shape["intermediate_size"]
        return shape["num_hidden_layers"] * layer + 2 * VOCABULARY * hidden + TOWER_PARAMETERS
    if Path(name).is_dir():
        return sum(file.stat().st_size for file in Path(name).glob("*.safetensors")) / 2
    if (billions := re.search(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z])", name.lower())) is not None:
        return float(billions[1]) * 1e9
    return None


def memory_bytes(parameters: float, spec: ModelSpec, device: torch.device) -> float:
    """What the weights take on the device."""
    is_wide = spec.dtype == "float32" or (spec.dtype == "auto" and device.type == "cpu")
    return parameters * BYTES.get(spec.quantize, 4.0 if is_wide else 2.0)


def seconds(
    plan: Plan, parameters: float, weights_bytes: float, *, bandwidth: float, flops: float
) -> dict[str, float]:
    """Seconds of each measurement, by its name in the progress bar.

    Args:
        plan: what is measured.
        parameters: of the model.
        weights_bytes: see `memory_bytes`.
        bandwidth: of the device's memory, in bytes per second.
        flops: that the device reaches, per second.
    """
    on_gpu = flops >= GPU_FLOPS
    prompt_tokens = 110 if parameters == POCKET_PARAMETERS else PROMPT_TOKENS
    step = max(weights_bytes / bandwidth, 0.005)
    prefill = 2 * parameters * prompt_tokens / flops
    calls = 2 if on_gpu else max(plan.threads)
    took = {"loading": 5 + weights_bytes / 0.5e9, "reading memory": 1.0}
    if plan.generate:
        took["generate()"] = (12 + calls * plan.new_tokens) * step + (calls + 5) * prefill
        if plan.static:
            took["generate(), static and compiled"] = 60 + 4 * plan.new_tokens * step
    took["starting the engine"] = 30.0 if on_gpu else 5.0
    took["first tokens"] = 10 * (prefill + 8 * step)
    for threads in plan.threads:
        together = max(step, threads * 2 * parameters / flops)
        took[f"{threads} threads"] = 2 * (threads * prefill + plan.new_tokens * together)
    took["gaps"] = 12 * (prefill + (0.1 if on_gpu else 0.5)) + 20 * step
    return took


def check_fits(spec: ModelSpec, parameters: float, device: torch.device) -> None:
    """Raises: ModelUnavailable: the machine lacks a GPU for so large a model, or the memory."""
    needed = memory_bytes(parameters, spec, device)
    size = f"'{spec.name}' has {parameters / 1e9:.1f} billion parameters"
    if device.type == "cpu" and parameters >= SMALL_PARAMETERS:
        raise ModelUnavailable(
            f"{size}, and no GPU is used: measuring it would take hours and "
            f"{needed / 1e9:.0f} GB of memory. Run it on a machine with a GPU, or add --yes."
        )
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
    else:
        free = psutil.virtual_memory().available
    if needed > free:
        smaller = "" if spec.quantize == "nf4" else " Try --quantize nf4, or add --yes."
        raise ModelUnavailable(
            f"{size}: its weights take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory "
            f"are free.{smaller or ' Add --yes to try it all the same.'}"
        )


def flops_of(device: torch.device) -> float:
    """A guess at what a device reaches, per second."""
    return GPU_FLOPS if device.type == "cuda" else FLOPS_PER_CORE * torch.get_num_threads()


def bandwidth_of(device: torch.device) -> float:
    """Of the device's memory, in bytes per second; a guess for a GPU, which must stay empty."""
    return GPU_BANDWIDTH if device.type == "cuda" else read_bandwidth(device)


def in_words(duration_s: float) -> str:
    """A duration as people say it: "about 4 minutes"."""
    if duration_s < 90:
        return f"about {max(10, round(duration_s, -1)):.0f} seconds"
    if duration_s < 5400:
        return f"about {duration_s / 60:.0f} minutes"
    return f"about {duration_s / 3600:.1f} hours"
