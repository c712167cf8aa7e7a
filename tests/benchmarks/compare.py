"""Compare the speed of two source trees: their benches, alternating, on one machine.

    python -m tests.benchmarks.compare BEFORE AFTER OUT

BEFORE and AFTER are folders that hold `bot` and `inference`; OUT takes each run's JSON and log.
Shapes are LLaVA-1.5's, weights random. `generate()` is left out: it is not ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SEVEN = ("--model", "llava-hf/llava-1.5-7b-hf")
THIRTEEN = ("--model", "llava-hf/llava-1.5-13b-hf")
WORKLOADS: dict[str, tuple[str, ...]] = {
    "7b-bf16": (*SEVEN, "--threads", "1", "8", "32"),
    "7b-nf4": (*SEVEN, "--quantize", "nf4", "--threads", "1", "8", "32"),
    "7b-nf4-one-picture": (*SEVEN, "--quantize", "nf4", "--same-picture", "--threads", "32"),
    "13b-nf4": (*THIRTEEN, "--quantize", "nf4", "--threads", "1", "32"),
    "7b-int8": (*SEVEN, "--quantize", "int8", "--threads", "1", "32"),
}
LIMIT_S = 240


def bench(tree: Path, name: str, arguments: tuple[str, ...], out: Path) -> dict[str, Any]:
    """Run the bench of one source tree. Returns: its figures."""
    command = [sys.executable, "-m", "bot", "bench", "--random-weights", "--without-generate"]
    with (out / f"{name}.log").open("wb") as log:
        ended = subprocess.run(
            [*command, *arguments, "--json"],
            cwd=tree,
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=LIMIT_S,
            check=False,
        )
    if ended.returncode != 0:
        raise SystemExit(f"{name} failed: see {name}.log")
    (out / f"{name}.json").write_bytes(ended.stdout)
    figures: dict[str, Any] = json.loads(ended.stdout)
    return figures


def numbers(figures: Any, at: str = "") -> dict[str, float]:
    """Every number of a report, by its path."""
    if isinstance(figures, bool) or figures is None or isinstance(figures, str):
        return {}
    if isinstance(figures, int | float):
        return {at: float(figures)}
    items = figures.items() if isinstance(figures, dict) else enumerate(figures)
    return {
        path: number
        for key, value in items
        for path, number in numbers(value, f"{at}.{key}".lstrip(".")).items()
    }


def main() -> None:
    """Print each figure before and after."""
    before, after, out = (Path(argument).resolve() for argument in sys.argv[1:4])
    out.mkdir(parents=True, exist_ok=True)
    for name, arguments in WORKLOADS.items():
        begun_at = time.monotonic()
        old = numbers(bench(before, f"{name}-before", arguments, out))
        new = numbers(bench(after, f"{name}-after", arguments, out))
        print(f"== {name} ({time.monotonic() - begun_at:.0f} s)", flush=True)
        for path, number in old.items():
            if path in new:
                print(f"{path:60} {number:12.2f} {new[path]:12.2f}", flush=True)


if __name__ == "__main__":
    main()
