"""What the host says to a CUDA graph: named arrays that are sent to the device in one copy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Sheet:
    """Named arrays of int32 in one piece of memory, on the host and on the device."""

    def __init__(self, device: torch.device, **sizes: tuple[int, ...]) -> None:
        total = sum(_aligned(torch.Size(size).numel()) for size in sizes.values())
        # Two, in turn: one is being filled while the copy of the other may be under way.
        self._hosts = [torch.zeros(total, dtype=torch.int32).pin_memory() for _ in range(2)]
        self._device = torch.zeros(total, dtype=torch.int32, device=device)
        self._host_views = [self._cut(host, sizes) for host in self._hosts]
        self.on_device = self._cut(self._device, sizes)
        self._turn = 0

    @staticmethod
    def _cut(whole: Tensor, sizes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
        views, at = {}, 0
        for name, size in sizes.items():
            count = torch.Size(size).numel()
            views[name] = whole[at : at + count].view(size)
            at += _aligned(count)
        return views

    def next(self) -> dict[str, Any]:
        """The host's arrays to fill, as numpy's."""
        self._turn = 1 - self._turn
        return {name: view.numpy() for name, view in self._host_views[self._turn].items()}

    def send(self) -> None:
        """Copy them to the device; does not wait."""
        self._device.copy_(self._hosts[self._turn], non_blocking=True)


def _aligned(count: int) -> int:
    """So many int32 and what fills them up to 16 bytes.

    Triton compiles a kernel anew for pointers that are aligned otherwise: in the middle of a step.
    """
    return -(-count // 4) * 4
