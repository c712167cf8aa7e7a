"""CUDA graphs: record work once, then launch it as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


class CudaGraphRecorder:
    """Records one device's graphs, in one memory pool and on one stream.

    One pool, because graphs that never run at the same time can share memory; record the largest
    first. One stream, because cuBLAS keeps a workspace for every stream it has seen. A stream of
    our own, because torch's default capture stream belongs to the first device that captured.
    """

    def __init__(self, device: torch.device) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)

    def record(self, work: Callable[[], Result]) -> tuple[torch.cuda.CUDAGraph, Result]:
        """Record work whose input tensors keep their addresses.

        Returns: the graph, and the work's result, which each replay overwrites.
        """
        work()  # compiles kernels that are not compiled yet
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            result = work()
        return graph, result
