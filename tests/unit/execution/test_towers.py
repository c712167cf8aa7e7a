"""Vision towers give the embeddings that transformers gives, for pictures of every size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.execution.towers.qwen_vl import QwenVLTower
from inference.models.images import pad_to_aspect
from tests.pictures import photo, picture_of
from tests.unit.backends.fast_path import ANY_SIZE, both_paths

# More than one window in both directions, and windows of four lengths; a strip; one token's worth.
SIZES = [(300, 170), (170, 300), (224, 224), (600, 3), (20, 20)]


@pytest.mark.parametrize("family", ANY_SIZE)
@torch.inference_mode()
def test_a_tower_embeds_pictures_of_every_size_as_transformers_does(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    fast, plain = both_paths(tiny_checkpoint(family), context_tokens=8192, max_pictures=4)
    tower, preprocessor = fast.vision._tower, fast.vision._pixels.preprocessor
    for size in SIZES:
        picture = picture_of(photo(size))
        image = plain._family.picture_for(picture, plain._processor)
        inputs = plain._processor.image_processor(images=[image], return_tensors="pt")
        found = plain._weights.get_image_features(**inputs)
        levels = [found.pooler_output, *getattr(found, "deepstack_features", ())]
        wanted = torch.stack([torch.cat(list(level)) for level in levels])
        pixels = preprocessor.preprocess(picture)
        assert pixels["pixel_values"].dtype == torch.uint8
        values = preprocessor.normalise_patches(pixels["pixel_values"])
        assert torch.equal(values, inputs["pixel_values"])
        assert torch.allclose(tower.encode(pixels), wanted, rtol=1e-3, atol=1e-4)


class Replayed:
    """A recorder whose graphs do their work again."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Any, Tensor]:
        return SimpleNamespace(replay=work), work()


@torch.inference_mode()
def test_graphs_of_all_sizes_share_one_result_and_none_is_taken_for_another(
    tiny_checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, _ = both_paths(tiny_checkpoint("qwen3-vl"), context_tokens=8192, max_pictures=4)
    tower, preprocessor = fast.vision._tower, fast.vision._pixels.preprocessor
    assert isinstance(tower, QwenVLTower)
    sizes = [(60, 90), (90, 60), (130, 130)]  # two of them have as many tokens
    pixels = [preprocessor.preprocess(picture_of(photo(size))) for size in sizes]
    eager = [tower.encode(one) for one in pixels]
    monkeypatch.setattr("inference.execution.towers.qwen_vl.USUAL_PX", tuple(sizes))
    recorder: Any = Replayed()
    tower.capture(recorder)
    assert len(tower._graphed) == 3
    graphed = [tower.encode(one) for one in pixels]
    for got, wanted in zip(graphed, eager, strict=True):
        assert torch.equal(got, wanted)


def test_a_strip_is_padded_on_both_sides_to_what_the_processor_takes() -> None:
    strip = photo((600, 3))
    padded = pad_to_aspect(strip, 50, (0.5, 0.5, 0.5))
    assert padded.size == (600, 12)
    assert padded.crop((0, 4, 600, 7)).tobytes() == strip.tobytes()
    assert padded.getpixel((0, 0)) == (127, 127, 127)
    assert pad_to_aspect(padded, 50, (0.5, 0.5, 0.5)) is padded
