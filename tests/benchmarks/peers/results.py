"""What a peer has measured, and the table of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

MARK = "peer: "
"""Before the line of output that holds a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What each peer is given: a decoder's shape, and lengths in tokens."""

    model: str
    few_bits: bool
    threads: tuple[int, ...]
    prompt_tokens: int
    new_tokens: int

    @property
    def thread_tokens(self) -> int:
        """Of one thread, with room to round up."""
        return self.prompt_tokens + self.new_tokens + 64

    @property
    def capacity_tokens(self) -> int:
        """Of all threads together."""
        return max(self.threads) * self.thread_tokens


@dataclass(slots=True, kw_only=True)
class Result:
    """One peer's figures, or why there are none."""

    name: str
    weights: str = ""
    skipped: str = ""
    decoding: dict[int, float] = field(default_factory=dict)
    """Tokens/s while so many threads decode."""
    whole: dict[int, float] = field(default_factory=dict)
    """The same, with their prompts' time counted."""
    prompt_tokens_per_s: float | None = None
    note: str = ""

    def line(self) -> str:
        """Return the result as one line of output."""
        return MARK + json.dumps(asdict(self))


def result_in(output: str) -> Result | None:
    """Return the last result that a process has printed."""
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if not lines:
        return None
    found = json.loads(lines[-1].removeprefix(MARK))
    for name in ("decoding", "whole"):
        found[name] = {int(threads): rate for threads, rate in found[name].items()}
    return Result(**found)


def table(results: Sequence[Result], threads: Sequence[int]) -> str:
    """Return all results, in Markdown."""
    head = ["", "weights", *(f"{count}" for count in threads), "with prompts", "prompts"]
    lines = [head, ["---"] * len(head)]
    for result in results:
        if result.skipped:
            lines.append([result.name, f"skipped: {result.skipped}", *[""] * (len(threads) + 2)])
            continue
        most = max(result.whole, default=0)
        lines.append(
            [
                result.name,
                result.weights,
                *(_rate(result.decoding.get(count)) for count in threads),
                f"{result.whole[most]:,.0f} ({most})" if most else "",
                _rate(result.prompt_tokens_per_s),
            ]
        )
    notes = [f"{result.name}: {result.note}" for result in results if result.note]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", *notes])


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}"
