"""What is counted before anything is decoded: small files that would cost much."""

from __future__ import annotations

import time

import pytest

from bot.errors import PictureRefused
from bot.images.containers.parts import MAX_FRAMES, MAX_PARTS, MAX_SCANS
from bot.images.containers.tiff import MAX_ENTRIES
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from tests.hostile_pictures.files import (
    gif_of_many_frames,
    jpeg_of_many_scans,
    jpeg_of_separate_scans,
    png_of_many_chunks,
    png_of_many_frames,
    tiff_of_many_entries,
    tiff_of_many_pages,
    webp_of_many_frames,
)
from tests.pictures import encode, photo


def refusal(data: bytes, limits: PictureLimits | None = None) -> str:
    with pytest.raises(PictureRefused) as caught:
        normalise("a", data, limits or PictureLimits())
    return caught.value.sentence("en").removeprefix("“a” was left out: ")


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (jpeg_of_many_scans(MAX_SCANS + 1), MAX_SCANS),
        (png_of_many_chunks(2_400_000), MAX_PARTS),
        (png_of_many_chunks(MAX_PARTS, b"tEXt"), MAX_PARTS),
        (png_of_many_frames(MAX_FRAMES + 1), MAX_FRAMES),
        (gif_of_many_frames(MAX_FRAMES + 1), MAX_FRAMES),
        (webp_of_many_frames(MAX_FRAMES + 1), MAX_FRAMES),
        (tiff_of_many_entries(MAX_ENTRIES + 1), MAX_ENTRIES),
    ],
    ids=["scans", "chunks", "texts", "apng", "gif", "webp", "tiff"],
)
def test_more_parts_than_any_picture_has_are_refused_before_anything_is_decoded(
    data: bytes, limit: int
) -> None:
    begun = time.process_time()
    assert refusal(data) == f"it is made of more than {limit} parts, which no picture needs."
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "data",
    [
        jpeg_of_many_scans(MAX_SCANS - 20),
        png_of_many_chunks(50_000),
        gif_of_many_frames(MAX_FRAMES - 10),
        encode(photo(), "JPEG", progressive=True),
    ],
    ids=["scans", "chunks", "gif", "progressive"],
)
def test_as_many_parts_as_a_picture_may_have_are_decoded(data: bytes) -> None:
    assert normalise("a", data, PictureLimits()).picture.width_px > 0


def test_the_more_pixels_a_jpeg_has_the_fewer_scans_may_go_over_them() -> None:
    begun = time.process_time()
    said = refusal(jpeg_of_many_scans(90, 7_000))
    assert said == "it is made of more than 20 parts, which no picture needs."
    assert time.process_time() - begun < 4, "making it takes most of that"
    assert normalise("a", jpeg_of_many_scans(60, 1_000), PictureLimits()).picture.width_px == 1_000


def test_a_long_chain_of_pages_is_not_walked() -> None:
    begun = time.process_time()
    assert refusal(tiff_of_many_pages(1_000_000)) == "the file is damaged or incomplete."
    assert time.process_time() - begun < 1


def test_a_jpeg_that_is_held_whole_has_no_more_pixels_than_other_formats() -> None:
    limits = PictureLimits(max_pixels=2_000)
    assert "the limit is 0 megapixels" in refusal(jpeg_of_separate_scans(), limits)
    assert normalise("a", encode(photo((64, 64)), "JPEG"), limits).picture.width_px == 64
