"""What a CUDA graph reads stays where it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


def test_what_only_a_graph_reads_is_not_given_to_others() -> None:
    from inference.execution.cuda_graphs import CudaGraphRecorder

    device = torch.device("cuda")

    def adding(number: float, to: Tensor) -> Callable[[], Tensor]:
        alone = torch.full((1000,), number, device=device)
        return lambda: to + alone

    recorder = CudaGraphRecorder(device)
    to = torch.zeros(1000, device=device)
    graphs = [recorder.record(adding(number, to)) for number in (1.0, 2.0)]
    others = [torch.full((1000,), 99.0, device=device) for _ in range(50)]
    for number, (graph, result) in zip((1.0, 2.0), graphs, strict=True):
        graph.replay()
        assert torch.equal(result, torch.full_like(result, number))
    assert len(others) == 50
