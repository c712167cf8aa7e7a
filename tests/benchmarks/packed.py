"""Matrix products on a CPU, microseconds by rows: packed weights, `nn.functional.linear`, 8 bits.

Run: `python -m tests.benchmarks.packed` (the pocket model's sizes, float32).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from inference.execution.int8 import Int8Linear
from inference.execution.linears import PackedLinear

SIZES = {"qkv": (960, 576), "gate and up": (3072, 576), "down": (576, 1536), "head": (49152, 576)}
BYTES = 64e6
"""Total size of a weight's copies: none is in the CPU cache when its turn comes."""


def microseconds(products: list[Callable[[Tensor], Tensor]], x: Tensor) -> float:
    """Return the time per product: the best of several passes over all."""
    best = float("inf")
    for _ in range(6):
        begun = time.perf_counter()
        for product in products:
            product(x)
        best = min(best, time.perf_counter() - begun)
    return best / len(products) * 1e6


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, (n, k) in SIZES.items():
        weights = [torch.randn(n, k) for _ in range(max(1, int(BYTES / (4 * n * k))))]
        packed: list[Callable[[Tensor], Tensor]] = [PackedLinear(weight) for weight in weights]
        plain: list[Callable[[Tensor], Tensor]] = [
            lambda x, weight=weight: nn.functional.linear(x, weight)  # type: ignore[misc]
            for weight in weights
        ]
        few_bits: list[Callable[[Tensor], Tensor]] = [Int8Linear(weight) for weight in weights]
        for rows in (1, 4, 16, 48, 141):
            x = torch.randn(rows, k)
            print(
                f"{name:12} {k}x{n}, {rows:3} rows: packed {microseconds(packed, x):8.0f} us, "
                f"linear {microseconds(plain, x):8.0f} us, "
                f"8 bits {microseconds(few_bits, x):8.0f} us"
            )


if __name__ == "__main__":
    main()
