"""CUDA graphs: record work once, then launch it as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

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
        # A graph knows addresses, not tensors: whatever its work refers to must outlive it.
        self._works: list[Callable[[], object]] = []

    def record(self, work: Callable[[], Result]) -> tuple[torch.cuda.CUDAGraph, Result]:
        """Record work whose input tensors keep their addresses; they live as long as this object.

        Returns: the graph, and the work's result, which each replay overwrites.
        """
        work()  # compiles kernels that are not compiled yet
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            result = work()
        self._works.append(work)
        return graph, result


class GraphedFunction(Generic[Result]):
    """A function of one tensor that replays a CUDA graph for the shapes it was captured with."""

    def __init__(self, function: Callable[[Tensor], Result]) -> None:
        self._function = function
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Result]] = {}

    def capture(self, example: Tensor, recorder: CudaGraphRecorder) -> None:
        """Capture a graph for tensors of the example's shape."""
        static_input = example.clone()
        graph, out = recorder.record(lambda: self._function(static_input))
        self._graphs[example.shape] = (graph, static_input, out)

    def __call__(self, x: Tensor) -> Result:
        """Call the function; the next call overwrites a graph's output."""
        captured = self._graphs.get(x.shape)
        if captured is None:
            return self._function(x)
        graph, static_input, out = captured
        static_input.copy_(x)
        graph.replay()
        return out
