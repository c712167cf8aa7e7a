"""What people send becomes an upright RGB picture without metadata, or a sentence."""

from __future__ import annotations

import io
import struct
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageCms

from bot.errors import PictureRefused
from bot.images.file_names import short_name
from bot.images.normalise import MIN_SIDE_PX, normalise
from bot.texts import sentences
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from tests.pictures import encode

LIMITS = PictureLimits()
RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 180, 20), (20, 20, 220), (255, 255, 255)


def halves(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def striped(colour: tuple[int, int, int]) -> Image.Image:
    """One colour with a white band at its foot."""
    image = Image.new("RGB", (64, 64), colour)
    image.paste(WHITE, (0, 48, 64, 64))
    return image


def opened(result: NormalisedPicture) -> Image.Image:
    return Image.open(io.BytesIO(result.picture.data))


def close(pixel: object, colour: tuple[int, ...], tolerance: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, colour, strict=True))


def keys(result: NormalisedPicture) -> list[str]:
    return [key for key, _ in result.notes]


def heif(image: Image.Image, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    return encode(image, "HEIF", **options)


FILES = {
    "jpeg": lambda: encode(halves(), "JPEG", quality=95),
    "progressive jpeg": lambda: encode(halves(), "JPEG", quality=95, progressive=True),
    "png": lambda: encode(halves()),
    "interlaced palette png": lambda: encode(halves().convert("P")),
    "webp": lambda: encode(halves(), "WEBP", quality=95),
    "lossless webp": lambda: encode(halves(), "WEBP", lossless=True),
    "gif": lambda: encode(halves(), "GIF"),
    "bmp": lambda: encode(halves(), "BMP"),
    "tiff": lambda: encode(halves(), "TIFF"),
    "lzw tiff": lambda: encode(halves(), "TIFF", compression="tiff_lzw"),
    "heic": lambda: heif(halves(), quality=95),
    "avif": lambda: encode(halves(), "AVIF", quality=95),
    "cmyk jpeg": lambda: encode(halves().convert("CMYK"), "JPEG", quality=95),
    "cmyk tiff": lambda: encode(halves().convert("CMYK"), "TIFF"),
    "rgba png": lambda: encode(halves().convert("RGBA")),
}


@pytest.mark.parametrize("kind", FILES)
def test_each_format_comes_out_as_the_same_rgb_picture(kind: str) -> None:
    result = normalise(f"photo.{kind}", FILES[kind](), LIMITS)
    image = opened(result)
    assert (image.mode, image.size) == ("RGB", (120, 80))
    assert (result.picture.width_px, result.picture.height_px) == image.size
    assert close(image.getpixel((20, 40)), RED, 25)
    assert close(image.getpixel((100, 40)), BLUE, 25)
    assert result.notes == ()


@pytest.mark.parametrize("kind", FILES)
def test_the_type_is_decided_from_the_bytes_and_not_from_the_name(kind: str) -> None:
    assert normalise("photo.txt", FILES[kind](), LIMITS).picture.width_px == 120


@pytest.mark.parametrize("kind", FILES)
def test_of_a_file_that_begins_as_a_picture_nobody_says_that_it_is_none(kind: str) -> None:
    data = FILES[kind]()
    for length in (18, 24, 40):
        sentence = refusal(data[:length])
        assert "damaged" in sentence
        assert "this kind of file" not in sentence


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_rotation_is_applied(orientation: int, file_format: str) -> None:
    upright = halves((80, 120))
    upright.paste(GREEN, (0, 90, 80, 120))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = normalise("p", encode(stored, file_format, exif=exif), LIMITS)
    image = opened(result)
    assert image.size == (80, 120)
    assert close(image.getpixel((20, 30)), RED, 40)
    assert close(image.getpixel((60, 30)), BLUE, 40)
    assert close(image.getpixel((40, 110)), GREEN, 40)


def test_metadata_is_gone_gps_and_comments_too() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret-description"
    exif.get_ifd(0x8825)[2] = (35.0, 41.0, 22.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [
        encode(halves(), "JPEG", exif=exif, comment=b"secret-comment", icc_profile=profile),
        encode(halves(), "PNG", exif=exif, icc_profile=profile),
        heif(halves(), exif=exif.tobytes()),
    ]
    for data in files:
        image = opened(normalise("p", data, LIMITS))
        assert not image.getexif()
        assert not {"comment", "icc_profile", "exif", "xmp"} & set(image.info)
        assert b"secret" not in normalise("p", data, LIMITS).picture.data


def test_transparency_lies_on_white() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 50, 100))
    image.paste((0, 0, 0, 128), (50, 50, 100, 100))
    for data in (encode(image), encode(image, "WEBP", lossless=True)):
        result = opened(normalise("p", data, LIMITS))
        assert close(result.getpixel((20, 20)), RED)
        assert close(result.getpixel((80, 20)), WHITE)
        assert close(result.getpixel((80, 80)), (127, 127, 127))


def test_a_transparent_palette_and_transparent_grey_lie_on_white() -> None:
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([*RED, *BLUE])
    palette.paste(1, (0, 0, 32, 64))
    result = opened(normalise("p", encode(palette, transparency=0), LIMITS))
    assert close(result.getpixel((50, 10)), WHITE)
    assert close(result.getpixel((10, 10)), BLUE)
    grey = Image.new("LA", (64, 64), (10, 0))
    assert close(opened(normalise("p", encode(grey), LIMITS)).getpixel((5, 5)), WHITE)


def test_sixteen_bits_become_eight_without_turning_black_or_white() -> None:
    ramp = Image.new("I;16", (64, 64))
    ramp.putdata([round(x / 63 * 65535) for _ in range(64) for x in range(64)])
    for data in (encode(ramp), encode(ramp, "TIFF")):
        image = opened(normalise("p", data, LIMITS))
        assert close(image.getpixel((0, 5)), (0, 0, 0))
        assert close(image.getpixel((32, 5)), (130, 130, 130))
        assert close(image.getpixel((63, 5)), WHITE)


def test_a_floating_point_tiff_can_be_seen() -> None:
    ramp = Image.new("F", (64, 64))
    ramp.putdata([x / 63 for _ in range(64) for x in range(64)])
    image = opened(normalise("p", encode(ramp, "TIFF"), LIMITS))
    assert close(image.getpixel((63, 5)), WHITE)
    assert close(image.getpixel((32, 5)), (130, 130, 130))


def test_a_floating_point_tiff_of_one_negative_value_is_a_picture_too() -> None:
    assert normalise("p", encode(Image.new("F", (64, 64), -3.5), "TIFF"), LIMITS)


def test_black_and_white_and_flat_pictures_are_fine() -> None:
    assert opened(normalise("p", encode(Image.new("1", (50, 50), 1)), LIMITS)).getpixel((1, 1)) == (
        255,
        255,
        255,
    )
    assert normalise("p", encode(Image.new("I;16", (50, 50), 7)), LIMITS)


def test_colours_of_a_wide_profile_are_brought_to_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    broken = encode(halves(), "JPEG", quality=95, icc_profile=b"no profile at all")
    assert close(opened(normalise("p", broken, LIMITS)).getpixel((20, 40)), RED, 25)
    assert profile is not None


def test_a_tiff_of_several_pages_gives_its_first_page_and_says_so() -> None:
    pages = [striped(colour) for colour in (RED, GREEN)]
    result = normalise(
        "p", encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]), LIMITS
    )
    assert keys(result) == ["note_first_page"]


def test_the_pages_of_a_tiff_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [striped(colour) for colour in (RED, GREEN, BLUE)]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])

    def count(_file: object) -> int:
        pytest.fail("a TIFF may chain a hundred thousand pages")

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.n_frames", property(count))
    assert keys(normalise("p", data, LIMITS)) == ["note_first_page"]


def test_a_phones_double_photo_is_one_picture() -> None:
    photos = [halves(), halves()]
    data = encode(photos[0], "MPO", save_all=True, append_images=photos[1:])
    assert normalise("p", data, LIMITS).notes == ()


# A JPEG is decoded straight to a half of its size, and that is enough.
@pytest.mark.parametrize(("file_format", "width"), [("JPEG", 2000), ("PNG", 2048)])
def test_a_large_picture_is_shrunk_and_says_so(file_format: str, width: int) -> None:
    result = normalise("p", encode(halves((4000, 3000)), file_format), LIMITS)
    sizes = dict(result.notes)["note_shrunk"]
    assert (sizes["width"], sizes["height"]) == (4000, 3000)
    assert result.picture.width_px == width
    assert result.picture.width_px * 3 == result.picture.height_px * 4
    assert "4000 × 3000" in sentences("ja", result.notes)[0]


def test_a_rotated_large_photo_says_its_size_as_it_is_seen() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    result = normalise("p", encode(halves((4000, 3000)), "JPEG", exif=exif), LIMITS)
    sizes = dict(result.notes)["note_shrunk"]
    assert (sizes["width"], sizes["height"]) == (3000, 4000)
    assert result.picture.height_px > result.picture.width_px


def test_a_tiny_picture_is_enlarged_to_what_models_take() -> None:
    picture = normalise("p", encode(Image.new("RGB", (1, 1), RED)), LIMITS).picture
    assert (picture.width_px, picture.height_px) == (MIN_SIDE_PX, MIN_SIDE_PX)


def test_the_same_picture_has_the_same_digest_and_another_has_another() -> None:
    first, second = (normalise("p", encode(halves()), LIMITS).picture for _ in range(2))
    assert first == second
    assert first.digest != normalise("p", encode(halves((60, 80))), LIMITS).picture.digest


# -- Refusals -----------------------------------------------------------------------------------


def refusal(data: bytes, name: str = "photo.jpg", limits: PictureLimits = LIMITS) -> str:
    with pytest.raises(PictureRefused) as refused:
        normalise(name, data, limits)
    assert "photo" not in str(refused.value), "file names must not reach a log"
    assert refused.value.sentence("ja")
    return refused.value.sentence("en")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes: a decompression bomb's header."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_from_its_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decoded(*_: object, **__: object) -> None:
        pytest.fail("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    assert refusal(png_header(30_000, 30_000)) == (
        "“photo.jpg” was left out: it is 30000 × 30000 pixels; the limit is 50 megapixels."
    )


def test_a_jpeg_may_have_four_times_as_many_pixels_since_it_is_decoded_at_a_fraction() -> None:
    limits = PictureLimits(max_pixels=1_000_000, max_side_px=400)
    large = halves((2000, 1900))
    assert normalise("p", encode(large, "JPEG"), limits).picture.width_px <= 500
    assert "the limit is 1 megapixel." in refusal(encode(large), limits=limits)
    progressive = encode(large, "JPEG", progressive=True)
    assert "the limit is 1 megapixel." in refusal(progressive, limits=limits)
    assert "the limit is 4 megapixels" in refusal(
        encode(halves((2100, 2000)), "JPEG"), limits=limits
    )


def test_too_many_bytes_are_refused_by_their_number() -> None:
    assert refusal(bytes(2_000_000), limits=PictureLimits(max_bytes=1_000_000)) == (
        "“photo.jpg” was left out: it is 2 MB; the limit is 1 MB."
    )


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "“photo.jpg” was left out: the file is empty."),
        (b"hello there", "I can't read this kind of file"),
        (
            b"%PDF-1.7 ...",
            "it is a PDF, and I can only look at pictures, videos, PDFs and text",
        ),
        (
            b"<?xml version='1.0'?><svg xmlns='x'/>",
            "it is an SVG drawing, and I can only look at pictures, videos, PDFs and text",
        ),
        (
            b"\n<!DOCTYPE html><html>login</html>",
            "it is a web page, and I can only look at pictures, videos, PDFs and text",
        ),
        (b"RIFF\0\0\0\0AVI LIST", "it is a video, and of videos I can only read MP4"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "the video is damaged"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "the video is damaged"),
        (b"\xff\xd8\xff\xe0garbage", "damaged or incomplete"),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_way_out(data: bytes, sentence: str) -> None:
    assert sentence in refusal(data)


def test_a_hair_thin_picture_is_refused() -> None:
    assert "too narrow" in refusal(encode(Image.new("RGB", (3000, 2))))


def test_a_name_is_shown_on_one_bounded_line() -> None:
    assert short_name("a\nb\u202e.png") == "a b .png"
    assert short_name("") == "picture"
    long = short_name("x" * 300 + ".png")
    assert len(long) == 60
    assert long.endswith(".png")
