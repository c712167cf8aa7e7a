"""What was measured on cards: read out of docs/performance.md, so that both stay the same."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"
GPUS = {"H100": 80e9, "H200": 141e9}
"""Bytes of memory."""
MODELS = {
    "7B bf16": (14.1e9, 524_288),
    "7B int8": (7.6e9, 270_000),
    "7B NF4": (4.4e9, 270_000),
    "13B NF4": (8.0e9, 420_000),
}
"""Bytes of LLaVA-1.5's weights, and of a token's keys and values: 8 bits where the weights have
fewer than 16."""
OTHER_BYTES = 1.8e9
"""CUDA's context, cuBLAS, graphs, activations: docs/performance.md, Memory."""
THREAD_TOKENS = 1000
"""A picture, and a few questions with their answers."""
CHUNK_S = 0.025
"""A step that decodes, too, prefills for so long at most (docs/architecture.md)."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model on a GPU, as far as its speed goes."""

    name: str
    steps: tuple[tuple[int, float], ...]
    """Sequences that decode at once → seconds for a token of each; measured."""
    new_picture_s: float
    """Prefill of a question with a new picture, alone on the device."""
    follow_up_s: float
    """Time to first token of a follow-up whose conversation is cached."""
    cached_threads: int
    """Conversations whose keys and values fit the card's memory."""

    @property
    def most(self) -> int:
        """Sequences at once; nothing was measured beyond."""
        return self.steps[-1][0]

    def step_s(self, sequences: int) -> float:
        """Seconds for a token of each; between what was measured on a straight line."""
        index = bisect_left(self.steps, sequences, key=lambda step: step[0])
        if index == 0:
            return self.steps[0][1]
        (before, before_s), (after, after_s) = self.steps[index - 1], self.steps[index]
        return before_s + (after_s - before_s) * (sequences - before) / (after - before)


def measured() -> dict[str, Card]:
    """Every card and precision whose steps and first tokens docs/performance.md gives."""
    page = PERFORMANCE.read_text(encoding="utf-8")
    on_h100, on_h200 = page.split("### On an H200")
    cards: dict[str, Card] = {}
    threads = [int(found) for found in re.findall(r"\d+", _row(on_h100, "tokens/s"))][:7]
    [heads] = re.findall(r"^\| \| (7B bf16 \|.*?) \|$", on_h100, re.MULTILINE)
    names = [cell.strip() for cell in heads.split("|")]
    new = _milliseconds(_row(on_h100, "of that on the device"))
    follow = _milliseconds(_row(on_h100, "time to first token, follow-up of about 40 tokens"))
    for name, new_s, follow_s in zip(names, new, follow, strict=True):
        rates = _row(on_h100, name).split("|")[1:8]
        cards[f"H100 {name}"] = _card("H100", name, _steps(threads, rates), new_s, follow_s)
    threads = [int(found) for found in re.findall(r"\d+", _row(on_h200, "tokens/s"))][:3]
    for name in ("7B bf16", "7B NF4", "13B NF4"):
        cells = _row(on_h200, name).split("|")[1:]
        new_s, follow_s = _milliseconds("|".join(["", *cells[3:5]]))
        cards[f"H200 {name}"] = _card("H200", name, _steps(threads, cells[:3]), new_s, follow_s)
    return cards


def _card(
    gpu: str, model: str, steps: tuple[tuple[int, float], ...], new_s: float, follow_s: float
) -> Card:
    weights_bytes, token_bytes = MODELS[model]
    room_bytes = GPUS[gpu] - weights_bytes - OTHER_BYTES
    return Card(
        name=f"{gpu} {model}",
        steps=steps,
        new_picture_s=new_s,
        follow_up_s=follow_s,
        cached_threads=int(room_bytes / token_bytes / THREAD_TOKENS),
    )


def _row(page: str, name: str) -> str:
    """The cells behind a row's name, with the bar before them."""
    found = re.search(rf"^\| {re.escape(name)} (\|.*)\|$", page, re.MULTILINE)
    if found is None:
        raise LookupError(f"docs/performance.md has no row {name!r} any more")
    return found[1]


def _steps(threads: list[int], rates: list[str]) -> tuple[tuple[int, float], ...]:
    return tuple(
        (num, num / float(rate.replace(",", "")))
        for num, rate in zip(threads, rates, strict=False)
        if rate.strip()
    )


def _milliseconds(cells: str) -> list[float]:
    return [float(found) / 1000 for found in re.findall(r"([\d.]+) ms", cells)]
