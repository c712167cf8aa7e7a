"""A video becomes one picture of its frames, or is refused by a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import io
from fractions import Fraction
from random import Random

import pytest
from PIL import Image

from bot.errors import PictureRefused
from bot.images.decoding.pool import running_pool
from bot.images.moving import films
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from tests.unit.images.moving.drawn_films import bar_at, film, growing, moving_bar, sound, turned

LIMITS = PictureLimits()


def cells(result: NormalisedPicture) -> list[Image.Image]:
    assert result.sheet is not None
    image = Image.open(io.BytesIO(result.picture.data)).convert("RGB")
    return [image.crop(box) for box in result.sheet.boxes(*image.size)]


def refusal(data: bytes, limits: PictureLimits = LIMITS) -> PictureRefused:
    with pytest.raises(PictureRefused) as caught:
        normalise("clip.mp4", data, limits)
    assert "clip.mp4" in caught.value.sentence("en")
    assert "clip.mp4" in caught.value.sentence("ja")
    return caught.value


@pytest.mark.parametrize(
    ("file_format", "codec"),
    [
        ("mp4", "libx264"),
        ("mov", "libx264"),
        ("mp4", "mpeg4"),
        ("webm", "libvpx"),
        ("webm", "libvpx-vp9"),
        ("matroska", "libx264"),
    ],
)
def test_a_video_gives_frames_from_its_beginning_to_its_end(file_format: str, codec: str) -> None:
    data = film(moving_bar(20), file_format=file_format, codec=codec)
    result = normalise("clip", data, LIMITS)
    assert result.notes == ()
    assert result.sheet is not None
    times = result.sheet.times_ms
    assert (len(times), times[0], times[-1]) == (9, 0, 1900)
    for cell, time_ms in zip(cells(result), times, strict=True):
        expected = (8 + 80 * time_ms / 1900) / 96
        assert abs(bar_at(cell) - expected) < 0.06


def test_frames_between_key_frames_are_found_as_well() -> None:
    often = normalise("clip", film(moving_bar(40), key_every=3), LIMITS)
    seldom = normalise("clip", film(moving_bar(40), key_every=400), LIMITS)
    assert often.sheet == seldom.sheet


def test_a_recording_that_tells_no_end_is_read_to_where_it_ends() -> None:
    data = film(moving_bar(20), file_format="webm", codec="libvpx", is_live=True)
    result = normalise("clip", data, LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms[-1] == 1900


def test_a_hundred_frames_a_second_are_as_good_as_ten() -> None:
    result = normalise("clip", film(moving_bar(100), rate=100), LIMITS)
    assert result.sheet is not None
    assert (len(result.sheet.times_ms), result.sheet.times_ms[-1]) == (9, 990)


def test_a_video_that_was_filmed_upright_is_shown_upright() -> None:
    result = normalise("clip", turned(film(moving_bar(6))), LIMITS)
    first = cells(result)[0]
    assert first.size == (64, 96)
    # What was at the left is at the top: so a player shows it.
    assert first.getpixel((32, 5))[0] > 200  # type: ignore[index]
    assert first.getpixel((32, 90))[0] < 60  # type: ignore[index]


def test_pixels_that_are_not_square_are_made_so() -> None:
    result = normalise("clip", film(moving_bar(4), shape=Fraction(2, 1)), LIMITS)
    assert cells(result)[0].size == (192, 64)


def test_a_video_in_which_nothing_changes_gives_one_picture() -> None:
    result = normalise("clip", film(moving_bar(1) * 8), LIMITS)
    assert result.sheet is None
    assert result.notes == (("note_film_still", {}),)


def test_only_so_much_of_a_long_scene_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "MAX_PIXELS", 18 * 2 * 96 * 64)
    result = normalise("clip", film(moving_bar(100)), LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms[-1] < 5000
    assert result.notes == (("note_only_beginning", {}),)


def test_with_key_frames_a_long_scene_is_seen_to_its_end_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(films, "MAX_PIXELS", 18 * 2 * 96 * 64)
    result = normalise("clip", film(moving_bar(100), key_every=5), LIMITS)
    assert result.sheet is not None
    assert result.sheet.times_ms[-1] >= 9000
    assert result.notes == ()


def test_a_video_that_breaks_off_shows_what_is_there() -> None:
    data = film(moving_bar(40), file_format="webm", codec="libvpx", key_every=5)
    result = normalise("clip", data[: len(data) * 3 // 4], LIMITS)
    assert result.sheet is not None
    assert 1000 < result.sheet.times_ms[-1] < 3900


def test_a_long_video_is_refused_with_both_lengths() -> None:
    data = film(moving_bar(40), rate=1)
    sentence = refusal(data, PictureLimits(max_video_s=30)).sentence("en")
    assert "lasts 40 seconds; the limit is 30 seconds" in sentence


def test_a_video_of_hours_is_refused_by_its_length_however_many_packets_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(films, "MAX_PACKETS", 10)
    caught = refusal(film(moving_bar(20), rate=Fraction(1, 1000)))
    assert caught.key == "picture_film_too_long"
    assert "lasts 20000 seconds" in caught.sentence("en")


def test_a_video_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    data = film(moving_bar(2, (400, 300)))
    assert refusal(data, PictureLimits(max_pixels=100_000)).key == "picture_too_many_pixels"


def test_frames_of_too_many_pixels_are_refused_whatever_the_header_says() -> None:
    assert normalise("clip", growing((320, 240)), LIMITS).sheet is not None
    assert refusal(growing((320, 240)), PictureLimits(max_pixels=50_000)).key == (
        "picture_film_broken"
    )


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"").key == "picture_empty"


def test_a_file_with_sound_alone_is_refused() -> None:
    assert refusal(sound()).key == "picture_film_empty"


def test_a_video_of_more_packets_than_any_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "MAX_PACKETS", 10)
    assert refusal(film(moving_bar(20))).key == "picture_too_many_parts"


def test_a_broken_video_is_refused_or_shown_in_part_and_never_anything_else() -> None:
    random = Random(7)  # noqa: S311 - the same damage in every run
    whole = {
        "mp4": film(moving_bar(12)),
        "webm": film(moving_bar(12), file_format="webm", codec="libvpx"),
    }
    for kind, data in whole.items():
        for _ in range(25):
            broken = bytearray(data)
            for _ in range(random.choice([1, 20, 200])):
                broken[random.randrange(12, len(broken))] = random.randrange(256)
            del broken[random.randrange(40, len(broken)) :]
            with contextlib.suppress(PictureRefused):
                normalise(f"clip.{kind}", bytes(broken), LIMITS)


async def test_a_video_is_decoded_in_a_confined_process() -> None:
    async with running_pool(LIMITS, processes=1) as pool:
        for file_format, codec in (("mp4", "libx264"), ("webm", "libvpx-vp9")):
            data = film(moving_bar(12), file_format=file_format, codec=codec)
            result = await pool.decode("clip", data)
            assert result.sheet is not None
        with pytest.raises(PictureRefused) as caught:
            await pool.decode("clip.mp4", film(moving_bar(3))[:200])
        assert caught.value.key == "picture_film_broken"
        with pytest.raises(PictureRefused) as caught:
            await pool.decode("clip.mp4", sound())
        assert caught.value.key == "picture_film_empty"


async def test_where_videos_are_off_they_are_called_what_they_are() -> None:
    async with running_pool(PictureLimits(max_video_s=0), processes=1) as pool:
        with pytest.raises(PictureRefused) as caught:
            await pool.decode("clip.mp4", await asyncio.to_thread(film, moving_bar(3)))
    assert "a video" in caught.value.sentence("en")
