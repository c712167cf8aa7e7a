"""How large pictures in tiles are seen is what their processors do, and no more than allowed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from transformers import (
    Glm46VImageProcessorPil,
    GotOcr2ImageProcessorPil,
    Qwen2VLImageProcessorPil,
    SmolVLMImageProcessorPil,
)

from inference.models import glm, internvl, qwen_vl, smolvlm
from inference.types import PictureBound
from tests.tiny_models import smol_tokenizer

SIZES = [(1, 2000), (2000, 1), (30, 30), (400, 300), (300, 400), (161, 90), (1000, 999), (640, 90)]
TILE = 28


def smolvlm_processor() -> Any:
    return SimpleNamespace(
        image_processor=SmolVLMImageProcessorPil(
            size={"longest_edge": 4 * TILE}, max_image_size={"longest_edge": TILE}
        ),
        tokenizer=smol_tokenizer("<row_1_col_1>"),
        fake_image_token="<fake_token_around_image>",
        image_seq_len=9,
    )


def internvl_processor() -> Any:
    size = {"height": TILE, "width": TILE}
    return SimpleNamespace(image_processor=GotOcr2ImageProcessorPil(size=size), image_seq_length=9)


def tiles_of(processor: Any, size: tuple[int, int]) -> dict[str, Any]:
    return dict(processor.image_processor(images=[Image.new("RGB", size)], return_tensors="pt"))


@pytest.mark.parametrize(("tokens", "per_side"), [(1, 1), (58, 1), (59, 2), (192, 3), (9999, 4)])
def test_smolvlms_longer_side_is_as_many_tiles_as_the_tokens_allow(
    tokens: int, per_side: int
) -> None:
    processor = smolvlm_processor()
    bound = smolvlm.bound_picture(processor, tokens)
    assert bound == PictureBound(max_side_px=per_side * TILE)
    most = 0
    for size in SIZES:
        found = tiles_of(processor, size)
        ((rows,),), ((columns,),) = found["rows"], found["cols"]
        assert max(rows, columns, 1) == per_side
        tiles, whole, line_ends = rows * columns * (2 + 9), 2 + 9 + 1, rows + (rows > 0)
        most = max(most, tiles + whole + line_ends)
    assert per_side == 1 or most <= tokens


@pytest.mark.parametrize("tokens", [1, 27, 60, 100, 117, 10_000])
def test_internvls_canvas_is_the_one_that_its_processor_takes(tokens: int) -> None:
    processor = internvl_processor()
    bound = internvl.bound_picture(processor, tokens)
    for size in SIZES:
        count = len(tiles_of(processor, size)["pixel_values"])
        assert count == 1 or 9 * count <= tokens
        seen = bound.seen(*size)
        if seen != size:
            columns, rows = (side // TILE for side in seen)
            assert columns * rows + (columns * rows > 1) == count
            assert columns * rows * TILE**2 < size[0] * size[1]
    assert bound.seen(1000, 1000) != (1000, 1000)
    assert bound.seen(TILE, TILE) == (TILE, TILE)


@pytest.mark.parametrize(
    ("family", "kind"), [(qwen_vl, Qwen2VLImageProcessorPil), (glm, Glm46VImageProcessorPil)]
)
def test_the_size_that_a_receipt_names_is_the_one_that_the_processor_makes(
    family: Any, kind: Any
) -> None:
    processor = SimpleNamespace(image_processor=kind())
    bound = family.bound_picture(processor, 100)
    side = qwen_vl.token_px(processor.image_processor)
    for size in [(1000, 750), (300, 1200), (4000, 3000), (90, 60)]:
        found = processor.image_processor(images=[Image.new("RGB", size)], return_tensors="pt")
        _, rows, columns = found["image_grid_thw"][0].tolist()
        assert rows * columns // 4 <= 100
        seen = bound.seen(*size)
        assert (seen == size) is (size == (90, 60))
        assert abs(columns * side // 2 - seen[0]) <= side
        assert abs(rows * side // 2 - seen[1]) <= side
