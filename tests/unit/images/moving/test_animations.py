"""An animation becomes one picture of its frames."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw

from bot.images.decoding.frames import BrokenFrame
from bot.images.decoding.results import picture_in, result_of_picture
from bot.images.moving import animations
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from bot.values.pictures import MAX_FRAMES, NormalisedPicture, Sheet
from tests.pictures import encode

LIMITS = PictureLimits()


def moving(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    """A white bar that goes from left to right over blue."""
    frames = []
    for index in range(count):
        frame = Image.new("RGB", size, (0, 0, 200))
        left = index * (size[0] - 8) // max(1, count - 1)
        ImageDraw.Draw(frame).rectangle((left, 0, left + 7, size[1]), fill=(255, 255, 255))
        frames.append(frame)
    return frames


def animation(
    frames: Sequence[Image.Image], file_format: str = "GIF", duration: int | list[int] = 100
) -> bytes:
    options = {"lossless": True} if file_format == "WEBP" else {}
    return encode(
        frames[0],
        file_format,
        save_all=True,
        append_images=frames[1:],
        duration=duration,
        **options,
    )


def cells(result: NormalisedPicture) -> list[Image.Image]:
    assert result.sheet is not None
    image = Image.open(io.BytesIO(result.picture.data)).convert("RGB")
    return [image.crop(box) for box in result.sheet.boxes(*image.size)]


def bar_at(image: Image.Image) -> float:
    """Where the bar's middle is, as a share of the width."""
    row = image.crop((0, 9, image.width, 10)).getchannel("R").tobytes()
    bright = [index for index, value in enumerate(row) if value > 128]
    return sum(bright) / len(bright) / image.width


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_frames_on_one_sheet_with_their_times(file_format: str) -> None:
    times = [500, 300, 200]
    result = normalise("p", animation(moving(3), file_format, times), LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms == (0, 500, 800)
    assert result.notes == ()
    assert [round(bar_at(cell), 1) for cell in cells(result)] == [0.1, 0.5, 0.9]


def test_of_many_frames_nine_are_taken_from_first_to_last() -> None:
    result = normalise("p", animation(moving(40)), LIMITS)
    assert result.sheet is not None
    assert len(result.sheet.times_ms) == MAX_FRAMES
    assert (result.sheet.times_ms[0], result.sheet.times_ms[-1]) == (0, 3900)
    places = [bar_at(cell) for cell in cells(result)]
    assert places == sorted(places)
    assert (result.sheet.columns, result.sheet.rows) == (3, 3)


def test_a_frame_without_a_time_lasts_as_long_as_in_a_browser() -> None:
    result = normalise("p", animation(moving(3), duration=0), LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms == (0, 100, 200)


def test_what_only_blinks_is_shown_once_each_way() -> None:
    on, off = moving(2)
    times = [100 + 10 * index for index in range(12)]
    result = normalise("p", animation([on, off] * 6, duration=times), LIMITS)
    assert result.sheet is not None
    assert len(result.sheet.times_ms) == 2


def test_blank_frames_have_no_place_on_the_sheet() -> None:
    blank = Image.new("RGB", (64, 48), (0, 0, 200))
    result = normalise("p", animation([blank, *moving(2), blank]), LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms == (100, 200)


def test_a_sheet_keeps_to_the_longest_side_and_no_frame_is_enlarged() -> None:
    small = normalise("p", animation(moving(4)), LIMITS)
    assert [cell.size for cell in cells(small)] == [(64, 48)] * 4
    large = normalise("p", animation(moving(4)), PictureLimits(max_side_px=100))
    assert max(large.picture.width_px, large.picture.height_px) <= 100


def test_so_many_pixels_are_not_all_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "MAX_PIXELS", 5 * 64 * 48)
    result = normalise("p", animation(moving(12)), LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms == (0, 100, 200, 300, 400)
    assert result.notes == (("note_only_beginning", {}),)


def test_what_takes_half_of_its_time_is_shown_as_far_as_it_was_seen() -> None:
    data = animation(moving(12))
    result = normalise("p", data, PictureLimits(decode_s=0))
    assert result.sheet is None
    assert [key for key, _ in result.notes] == ["note_first_frame"]


def test_a_sheet_comes_out_of_its_process_as_it_went_in() -> None:
    result = normalise("p", animation(moving(3)), LIMITS)
    header, payload = result_of_picture(result)
    assert picture_in("p", header, payload, max_side_px=2048) == result


@pytest.mark.parametrize(
    "sheet",
    [
        {"columns": 0, "times_ms": [0, 1]},
        {"columns": 3, "times_ms": [0, 1]},
        {"columns": 1, "times_ms": [0]},
        {"columns": 1, "times_ms": list(range(10))},
        {"columns": 1, "times_ms": [5, 1]},
        {"columns": 1, "times_ms": [0, True]},
        {"columns": 1, "times_ms": [0, -1]},
        {"columns": 1, "times_ms": [0, 10**30]},
        {"columns": "1", "times_ms": [0, 1]},
        {"columns": 9, "times_ms": list(range(9))},
        [1, 2],
        None,
    ],
)
def test_a_sheet_that_cannot_be_is_not_believed(sheet: object) -> None:
    header, payload = result_of_picture(normalise("p", encode(moving(1)[0]), LIMITS))
    with pytest.raises(BrokenFrame):
        picture_in("p", header | {"sheet": sheet}, payload, max_side_px=2048)


@pytest.mark.parametrize("count", range(2, MAX_FRAMES + 1))
@pytest.mark.parametrize("size", [(100, 30), (30, 100), (64, 64)])
def test_frames_lie_side_by_side_within_the_sheet(count: int, size: tuple[int, int]) -> None:
    result = normalise("p", animation(moving(count, size)), LIMITS)
    sheet = result.sheet
    assert sheet is not None
    boxes = sheet.boxes(result.picture.width_px, result.picture.height_px)
    assert len(boxes) == count == len(set(boxes))
    assert max(box[2] for box in boxes) == result.picture.width_px
    assert max(box[3] for box in boxes) == result.picture.height_px
    assert Sheet.from_json(sheet.to_json()) == sheet
