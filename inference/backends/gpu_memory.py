"""How full a GPU is, for the metrics."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from inference.metrics import Gauge

USED = Gauge("gpu_memory_used_bytes", "Memory of the GPU in use, by any program.", ("device",))
TOTAL = Gauge("gpu_memory_total_bytes", "Memory of the GPU.", ("device",))
INTERVAL_S = 5.0


def peak_bytes(device: str) -> int:
    """Return the most that this process has held of a GPU so far."""
    return torch.cuda.max_memory_reserved(device)


class GpuMemory:
    """Notes one device's memory; of a CPU nothing. On the device's thread.

    Asked there and not when somebody looks: a device that hangs does not answer.
    """

    def __init__(self, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._device = torch.device(device)
        self._clock = clock
        self._next_at = float("-inf") if self._device.type == "cuda" else float("inf")

    def note(self) -> None:
        """Ask the driver, at most every `INTERVAL_S`."""
        now = self._clock()
        if now < self._next_at:
            return
        self._next_at = now + INTERVAL_S
        free, total = torch.cuda.mem_get_info(self._device)
        USED.set(total - free, str(self._device))
        TOTAL.set(total, str(self._device))
