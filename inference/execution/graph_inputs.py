"""Inputs of a CUDA graph: named arrays that go to the device in one copy."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HostArrays: TypeAlias = dict[str, NDArray[np.int32]]
"""The arrays to fill before a replay, by name."""


class GraphInputs:
    """Named int32 arrays in one allocation, mirrored on the host and on the device."""

    def __init__(self, device: torch.device, **sizes: tuple[int, ...]) -> None:
        total = sum(_aligned(torch.Size(size).numel()) for size in sizes.values())
        # Two, used in turn: we fill one while the other may still be copying.
        self._hosts = [torch.zeros(total, dtype=torch.int32).pin_memory() for _ in range(2)]
        self._device = torch.zeros(total, dtype=torch.int32, device=device)
        self._host_views = [self._views(host, sizes) for host in self._hosts]
        self.on_device = self._views(self._device, sizes)
        self._current = 0

    @staticmethod
    def _views(whole: Tensor, sizes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
        views, at = {}, 0
        for name, size in sizes.items():
            count = torch.Size(size).numel()
            views[name] = whole[at : at + count].view(size)
            at += _aligned(count)
        return views

    def next(self) -> HostArrays:
        """Return the host arrays to fill."""
        self._current = 1 - self._current
        return {name: view.numpy() for name, view in self._host_views[self._current].items()}

    def send(self) -> None:
        """Copy the host arrays to the device, without waiting."""
        self._device.copy_(self._hosts[self._current], non_blocking=True)


def _aligned(count: int) -> int:
    """Round a number of int32 up to a multiple of 16 bytes.

    Triton recompiles a kernel for pointers with other alignment: that would happen mid-step.
    """
    return -(-count // 4) * 4
