"""What a picture shows can be seen, and one that shows nothing is not used in silence."""

from __future__ import annotations

import io
import struct

import pillow_heif
import pytest
from PIL import Image, ImageDraw

from bot.images.moving.animations import MAX_FRAMES
from bot.images.normalise import normalise
from bot.images.transparency import DARK_GROUND, FLAT_SPREAD
from bot.texts import sentences
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from tests.pictures import bmp_with_alpha, chunk, encode, photo

LIMITS = PictureLimits()
RED, WHITE, BLACK = (220, 20, 20), (255, 255, 255), (0, 0, 0)


def opened(result: NormalisedPicture) -> Image.Image:
    return Image.open(io.BytesIO(result.picture.data))


def keys(result: NormalisedPicture) -> list[str]:
    return [key for key, _ in result.notes]


def drawing(*colours: tuple[int, int, int], alpha: int = 255) -> Image.Image:
    """Bars on a transparent ground, a colour each."""
    image = Image.new("RGBA", (128, 64), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for i, colour in enumerate(colours):
        pen.rectangle((10, 6 + 10 * i, 110, 12 + 10 * i), fill=(*colour, alpha))
    return image


# -- A transparent ground -----------------------------------------------------------------------

SAVINGS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


@pytest.mark.parametrize("file_format", SAVINGS)
@pytest.mark.parametrize("colour", [WHITE, (240, 240, 230), (255, 255, 190)])
def test_a_light_drawing_lies_on_a_dark_ground_and_the_note_says_so(
    colour: tuple[int, int, int], file_format: str
) -> None:
    result = normalise("p", encode(drawing(colour), file_format, **SAVINGS[file_format]), LIMITS)
    assert keys(result) == ["note_dark_ground"]
    ground, bar = opened(result).getpixel((120, 60)), opened(result).getpixel((60, 9))
    assert max(abs(a - b) for a, b in zip(ground, DARK_GROUND, strict=True)) <= 3  # type: ignore[arg-type]
    assert max(abs(a - b) for a, b in zip(bar, colour, strict=True)) <= 3  # type: ignore[arg-type]


@pytest.mark.parametrize("colour", [BLACK, (90, 90, 90), RED, (0, 160, 220), (160, 160, 160)])
def test_any_other_drawing_lies_on_white(colour: tuple[int, int, int]) -> None:
    result = normalise("p", encode(drawing(colour)), LIMITS)
    assert result.notes == ()
    assert opened(result).getpixel((120, 60)) == WHITE


def test_the_ground_follows_the_greater_part_of_what_is_drawn() -> None:
    assert keys(normalise("p", encode(drawing(WHITE, WHITE, BLACK)), LIMITS)) == [
        "note_dark_ground"
    ]
    assert keys(normalise("p", encode(drawing(WHITE, BLACK, BLACK)), LIMITS)) == []


def test_what_can_hardly_be_seen_hardly_counts() -> None:
    """Each pixel has the weight of its alpha."""
    image = Image.alpha_composite(
        drawing(BLACK, alpha=255), drawing(BLACK, WHITE, WHITE, WHITE, alpha=40)
    )
    assert keys(normalise("p", encode(image), LIMITS)) == []


def test_a_white_palette_and_white_grey_are_seen_too() -> None:
    alpha = drawing(WHITE).getchannel("A")
    grey = Image.merge("LA", (Image.new("L", alpha.size, 255), alpha))
    palette = Image.new("P", alpha.size, 0)
    palette.putpalette([*BLACK, *WHITE])
    palette.paste(1, mask=alpha)
    for data in (
        encode(grey),
        encode(palette, transparency=0),
        encode(palette, "GIF", transparency=0),
    ):
        assert keys(normalise("p", data, LIMITS)) == ["note_dark_ground"]


# -- Transparent all over -----------------------------------------------------------------------


def test_a_bitmap_whose_alpha_is_empty_is_opaque_as_in_browsers() -> None:
    image = photo().convert("RGBA")
    image.putalpha(0)
    for data in (bmp_with_alpha(image), bmp_with_alpha(image)[14:]):
        result = normalise("p", data, LIMITS)
        assert result.notes == ()
        assert opened(result).tobytes() == photo().tobytes()
    large = normalise("p", bmp_with_alpha(image), PictureLimits(max_side_px=64))
    assert opened(large).getextrema() != ((255, 255),) * 3


def test_a_bitmap_with_real_alpha_keeps_it() -> None:
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    top = opened(normalise("p", bmp_with_alpha(image), LIMITS)).getpixel((5, 0))
    assert isinstance(top, tuple)
    assert min(top) > 250


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_colours_beneath_full_transparency_are_used_with_a_note(file_format: str) -> None:
    image = photo((300, 200)).convert("RGBA")
    image.putalpha(0)
    for limits in (LIMITS, PictureLimits(max_side_px=100)):  # scaling must not forget them
        result = normalise("p", encode(image, file_format), limits)
        assert keys(result)[0] == "note_all_transparent"
        assert "note_flat" not in keys(result)


def test_where_all_is_transparent_and_nothing_lies_beneath_it_comes_out_white_and_flat() -> None:
    result = normalise("p", encode(Image.new("RGBA", (64, 64), (9, 9, 9, 0))), LIMITS)
    assert keys(result) == ["note_flat"]
    assert opened(result).getpixel((5, 5)) == WHITE


# -- One flat colour ----------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("colour", [WHITE, BLACK, RED, (128, 128, 128)])
def test_one_flat_colour_is_used_and_said(colour: tuple[int, int, int], file_format: str) -> None:
    result = normalise("p", encode(Image.new("RGB", (90, 70), colour), file_format), LIMITS)
    assert keys(result) == ["note_flat"]
    assert sentences("en", result.notes) == ("it is a single flat colour",)
    assert sentences("ja", result.notes)


def test_the_smallest_thing_on_it_is_no_flat_colour() -> None:
    image = Image.new("RGB", (900, 700), WHITE)
    image.putpixel((333, 444), BLACK)
    assert normalise("p", encode(image), LIMITS).notes == ()
    faint = Image.new("RGB", (100, 100), (100, 100, 100))
    faint.paste((100 + FLAT_SPREAD + 1, 100, 100), (50, 0, 100, 100))
    assert normalise("p", encode(faint), LIMITS).notes == ()


# -- Frames and pictures ------------------------------------------------------------------------


def fading(*levels: int) -> list[Image.Image]:
    """A disc on white, as far faded in as said: 0 nothing, 255 all."""
    frames = []
    for level in levels:
        frame = Image.new("RGB", (64, 64), WHITE)
        ImageDraw.Draw(frame).ellipse((16, 16, 48, 48), fill=(255, 255 - level, 255 - level))
        frames.append(frame)
    return frames


def animation(file_format: str, frames: list[Image.Image]) -> bytes:
    options = {"lossless": True} if file_format == "WEBP" else {}
    # Frames of odd lengths of time: equal ones are not put together.
    times = [100 + 10 * i for i in range(len(frames))]
    return encode(
        frames[0], file_format, save_all=True, append_images=frames[1:], duration=times, **options
    )


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_that_fades_in_gives_its_clear_frame(file_format: str) -> None:
    result = normalise("p", animation(file_format, fading(0, 20, 40, 250, 255)), LIMITS)
    [(key, values)] = result.notes
    assert key == "note_later_frame"
    assert (values["frame"], values["frames"]) == (4, 5)
    pixel = opened(result).getpixel((32, 32))
    assert isinstance(pixel, tuple)
    assert pixel[1] < 40


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_an_animation_that_never_gets_clear_gives_its_clearest_frame(file_format: str) -> None:
    result = normalise("p", animation(file_format, fading(0, 15, 45, 30)), LIMITS)
    assert result.notes == (("note_later_frame", {"frame": 3, "frames": 4}),)


def test_a_first_frame_is_kept_where_the_others_look_the_same() -> None:
    result = normalise("p", animation("GIF", fading(250, 255)), LIMITS)
    assert result.notes == (("note_first_frame", {"frames": 2}),)


def test_an_animation_without_anything_to_see_is_said_to_be_flat() -> None:
    result = normalise("p", animation("GIF", fading(0, 4, 0)), LIMITS)
    assert keys(result) == ["note_first_frame", "note_flat"]


def test_a_transparent_first_frame_gives_way_to_one_of_one_colour() -> None:
    empty = Image.new("P", (64, 64), 0)
    empty.putpalette([*BLACK, *RED])
    full = Image.new("P", (64, 64), 1)
    full.putpalette([*BLACK, *RED])
    data = encode(
        empty, "GIF", save_all=True, append_images=[full], transparency=0, duration=[90, 80]
    )
    result = normalise("p", data, LIMITS)
    assert keys(result) == ["note_later_frame", "note_flat"]
    assert opened(result).getpixel((5, 5)) == RED


def test_so_many_blank_frames_are_not_all_looked_at() -> None:
    data = animation("GIF", fading(*[0, 4] * (MAX_FRAMES // 2 + 2), 255))
    assert keys(normalise("p", data, LIMITS)) == ["note_first_frame", "note_flat"]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_frames_of_a_shrunk_animation_are_looked_at_in_full(file_format: str) -> None:
    limits = PictureLimits(max_side_px=48)
    result = normalise("p", animation(file_format, fading(0, 4, 255)), limits)
    assert keys(result) == ["note_later_frame", "note_shrunk"]
    pixel = opened(result).getpixel((24, 24))
    assert isinstance(pixel, tuple)
    assert pixel[1] < 30


def test_a_broken_later_frame_ends_the_look() -> None:
    data = animation("GIF", fading(0, 30, 255))
    assert keys(normalise("p", data[:-60], LIMITS)) == ["note_later_frame"]


def test_a_png_with_a_broken_animation_shows_its_picture() -> None:
    data = animation("PNG", [photo((64, 64)), photo((64, 64)).rotate(90)])
    at = data.index(b"fcTL")
    out_of_order = chunk(b"fcTL", struct.pack(">I", 7) + data[at + 8 : at + 30])
    result = normalise("p", data[: at - 4] + out_of_order + data[at + 34 :], LIMITS)
    assert result.notes == ()
    assert opened(result).tobytes() == photo((64, 64)).tobytes()


def test_of_a_heic_with_several_pictures_the_main_one_is_used_and_the_note_says_so() -> None:
    pillow_heif.register_heif_opener()
    pictures = [photo((96, 64)), photo((96, 64)).rotate(180), Image.new("RGB", (96, 64), RED)]
    for main in (0, 1):
        data = encode(
            pictures[0], "HEIF", save_all=True, append_images=pictures[1:], primary_index=main
        )
        result = normalise("p", data, LIMITS)
        assert result.notes == (("note_main_picture", {"pictures": 3}),)
        ours, wanted = (
            i.resize((4, 4), Image.Resampling.BOX).tobytes()
            for i in (opened(result), pictures[main])
        )
        assert max(abs(a - b) for a, b in zip(ours, wanted, strict=True)) < 20
    assert normalise("p", encode(pictures[0], "HEIF"), LIMITS).notes == ()
