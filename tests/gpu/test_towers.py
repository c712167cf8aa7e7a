"""Vision towers on a GPU: a size that has a graph gives what it gives without one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.execution.towers.qwen_vl import QwenVLTower
from tests.gpu.test_families import checkpoint_of, load
from tests.pictures import photo, picture_of
from tests.unit.backends.fast_path import ANY_SIZE

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


@pytest.mark.parametrize("family", ANY_SIZE)
@torch.inference_mode()
def test_a_size_with_a_graph_is_embedded_as_without_it(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = load(checkpoint_of(family, tmp_path))
    assert isinstance(fast, BatchingBackend)
    tower = fast.vision._tower
    assert isinstance(tower, QwenVLTower)
    assert tower._graphed
    preprocessor = fast.vision._pixels.preprocessor
    for size in [(640, 480), (480, 640), (1024, 1024), (640, 480)]:
        pixels = preprocessor.preprocess(picture_of(photo(size)))
        graphed = tower.encode(pixels)
        with monkeypatch.context() as patch:
            patch.setattr(tower, "_graphed", {})
            eager = tower.encode(pixels)
        assert torch.allclose(graphed, eager, rtol=1e-2, atol=1e-2)
