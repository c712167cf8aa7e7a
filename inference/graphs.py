"""CUDA graphs: work that is recorded once and then launched as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Graphs:
    """Records the graphs of one device, in one pool of memory and on one stream.

    In one pool, since graphs that never run at once can live in the same memory: the largest is
    recorded first. On one stream, since cuBLAS keeps a workspace for each that it has seen; and on
    one of our own, since the stream that torch takes otherwise belongs to whichever device was
    the first.
    """

    def __init__(self, device: torch.device) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)

    def record(self, work: Callable[[], Result]) -> tuple[torch.cuda.CUDAGraph, Result]:
        """Record work on tensors that stay where they are.

        Returns: the graph, and what the work returned: each replay overwrites it.
        """
        work()  # compiles what is not compiled yet
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            result = work()
        return graph, result
