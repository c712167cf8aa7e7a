"""What a model needs on a card, and how fast it will be there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from inference.catalogue.shapes import MODELS, CatalogueModel

THREAD_TOKENS = 2000
"""Of each conversation, its pictures included."""

# Bytes for each number of the decoder's matrices.
PRECISIONS = {"bf16": 2.0, "int8": 1.0, "4 bits": 0.53125}
"""4 bits: NF4, and AWQ or GPTQ in groups of 64 and more; int4 with zeros takes 3% more."""
LAYER_S = 30e-6
"""What a layer takes besides reading: kernels that begin and end; docs/performance.md, H200."""
UNPACKING_S = 8e-15
"""For a weight of few bits and a row, where memory is read at `UNPACKING_BANDWIDTH`."""
UNPACKING_BANDWIDTH = 3.5e12
"""Between an H100's and an H200's; a card that reads more slowly also computes more slowly."""

OVERHEAD_BYTES = 1.76e9
"""CUDA's context, cuBLAS, graphs and activations; docs/performance.md, both measured models."""

BANDWIDTH = {
    "H200": 4.2e12,
    "H100": 3.0e12,
    "A100": 1.6e12,
    "L40": 0.8e12,
    "L4": 0.28e12,
    "A10": 0.55e12,
    "A6000": 0.7e12,
    "5090": 1.6e12,
    "4090": 0.92e12,
    "3090": 0.85e12,
    "4080": 0.65e12,
    "4070": 0.46e12,
    "4060": 0.25e12,
    "3060": 0.33e12,
}
"""Bytes per second that a card reads, by a part of its name; for most, nine tenths of its data
sheet's figure."""
MEASURED: dict[tuple[str, str, str], dict[int, float]] = {
    ("H100", "llava-hf/llava-1.5-7b-hf", "bf16"): {1: 194, 8: 1256, 32: 3243},
    ("H100", "llava-hf/llava-1.5-7b-hf", "int8"): {1: 326, 8: 2199, 32: 5034},
    ("H100", "llava-hf/llava-1.5-7b-hf", "4 bits"): {1: 449, 8: 2811, 32: 5229},
    ("H100", "llava-hf/llava-1.5-13b-hf", "4 bits"): {1: 269, 8: 1725, 32: 3165},
    ("H200", "llava-hf/llava-1.5-7b-hf", "bf16"): {1: 249, 8: 1578, 32: 4420},
    ("H200", "llava-hf/llava-1.5-7b-hf", "4 bits"): {1: 559, 8: 2936, 32: 6462},
    ("H200", "Qwen/Qwen3-VL-8B-Instruct", "bf16"): {1: 217, 8: 1575, 32: 4743},
    ("H200", "Qwen/Qwen3-VL-8B-Instruct", "4 bits"): {1: 458, 8: 2937, 32: 5642},
    ("H200", "Qwen/Qwen3-VL-4B-Instruct", "bf16"): {1: 333, 8: 2299, 32: 6276},
    ("H200", "Qwen/Qwen3-VL-4B-Instruct", "4 bits"): {1: 599, 8: 3798, 32: 7266},
    ("H200", "Qwen/Qwen2.5-VL-7B-Instruct", "bf16"): {1: 235, 8: 1747, 32: 5870},
    ("H200", "Qwen/Qwen2.5-VL-7B-Instruct", "4 bits"): {1: 499, 8: 3621, 32: 7640},
    ("H200", "OpenGVLab/InternVL3_5-8B-HF", "bf16"): {1: 214, 8: 1455, 32: 3577},
}
"""Tokens per second by threads, from docs/performance.md; its threads are shorter."""
TYPICAL = ((9, 0.25e12), (13, 0.33e12), (17, 0.46e12), (25, 0.85e12), (49, 0.7e12), (81, 1.6e12))
"""(up to so many GB, bytes per second): a slow one of the cards with so much memory."""
FASTEST = 4.2e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A GPU, or one that is thought of."""

    name: str
    memory_bytes: float

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        for part, found in BANDWIDTH.items():
            if part in self.name:
                return found
        gb = self.memory_bytes / 1e9
        return next((found for most, found in TYPICAL if gb <= most), FASTEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is asked of a card."""

    threads: int = 8
    thread_tokens: int = THREAD_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A model in a precision on a card."""

    model: CatalogueModel
    precision: str
    weights_bytes: float
    cache_bytes: float
    is_fast: bool
    """Whether the fast path runs it; otherwise one question is answered after another."""
    tokens_per_second: float
    """Of one thread alone."""
    all_tokens_per_second: float
    """Of all threads together."""
    is_measured: bool
    """Whether these were measured on such a card; otherwise they are computed."""

    @property
    def needed_bytes(self) -> float:
        """All memory in use on the card."""
        return self.weights_bytes + self.cache_bytes + OVERHEAD_BYTES


def fits_on(card: Card, need: Need, *, fast: Collection[str]) -> list[Fit]:
    """Return all models in all precisions that a card holds with so many threads.

    Args:
        card: its memory and bandwidth.
        need: threads and their lengths.
        fast: names of the models that the fast path runs.

    Returns: the best models first, each in the most bits first.
    """
    found = [
        _fit(model, precision, card, need, is_fast=model.name in fast)
        for model in MODELS
        for precision in PRECISIONS
    ]
    return [fit for fit in found if fit.needed_bytes <= card.memory_bytes]


def recommended(fits: Collection[Fit]) -> Fit | None:
    """Return the best model that answers many at once and understands Japanese too, if any does."""
    fast = [fit for fit in fits if fit.is_fast]
    in_japanese = [fit for fit in fast if fit.model.japanese.startswith("yes")]
    return next(iter(in_japanese or fast), None)


def _fit(model: CatalogueModel, precision: str, card: Card, need: Need, *, is_fast: bool) -> Fit:
    few_bits = precision != "bf16"
    in_layers = model.in_layers * PRECISIONS[precision]
    # Beside few bits, the head has 8, and the embedding lies in the host's memory.
    matrix = (1 if few_bits else 2) * model.embedding
    embedding = 0 if model.tied or few_bits else matrix
    token = cache_bytes_per_token(model, int8=few_bits and model.suits_int8_keys)
    each = need.thread_tokens * token
    unpacking = UNPACKING_S * UNPACKING_BANDWIDTH / card.bandwidth if few_bits else 0.0

    def computed(threads: int) -> float:
        """Tokens per second of so many threads together."""
        step_s = (in_layers + matrix + threads * each) / card.bandwidth
        step_s += model.layers * LAYER_S + threads * model.in_layers * unpacking
        return threads / step_s

    measured = _measured(model, precision, card)
    return Fit(
        model=model,
        precision=precision,
        weights_bytes=in_layers + matrix + embedding + 2 * model.tower,
        cache_bytes=need.threads * each,
        is_fast=is_fast,
        tokens_per_second=measured.get(1, computed(1)),
        all_tokens_per_second=measured.get(need.threads, computed(need.threads)),
        is_measured=1 in measured and need.threads in measured,
    )


def _measured(model: CatalogueModel, precision: str, card: Card) -> dict[int, float]:
    for (part, name, kind), found in MEASURED.items():
        if part in card.name and (name, kind) == (model.name, precision):
            return found
    return {}


def cache_bytes_per_token(model: CatalogueModel, *, int8: bool) -> int:
    """Return the bytes of a token's keys and values over all layers."""
    vector = model.head + 2 if int8 else 2 * model.head  # 8 bits have a scale for each vector
    return 2 * model.layers * model.kv_heads * vector
