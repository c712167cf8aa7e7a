"""What stands beside a picture's pixels never refuses it, and never changes what it shows."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bot.errors import PictureRefused
from bot.images.containers.parts import orientation_of
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from tests.pictures import chunk, encode, exif_of, jpeg_with, photo, png_with, segment

LIMITS = PictureLimits()
PHOTO = photo()
ORIENTATION = 0x0112


def shown(data: bytes) -> Image.Image:
    """What comes out, where nothing had to be said."""
    result = normalise("photo.x", data, LIMITS)
    assert result.notes == ()
    return Image.open(io.BytesIO(result.picture.data))


def short(value: int) -> bytes:
    return struct.pack("<HH", value, 0)


TURNED = (ORIENTATION, 3, 1, short(6))
ODD_EXIF = {
    "bytes in a SHORT tag": exif_of((0x0102, 7, 4, b"abcd"), TURNED),
    "a LONG in a SHORT tag": exif_of((0x011C, 4, 1, b"\xff\xff\xff\xff"), TURNED),
    "a type that does not exist": exif_of((0x0110, 99, 1, b"abcd"), TURNED),
    "a value far behind the end": exif_of((0x010E, 2, 5000, struct.pack("<I", 99999)), TURNED),
    "a directory that contains itself": exif_of((0x8769, 4, 1, struct.pack("<I", 8)), TURNED),
    "an entry more than there is": exif_of(TURNED).replace(b"\x01\0\x12\x01", b"\x09\0\x12\x01"),
    "no end": exif_of(TURNED)[:-4],
    "an orientation as LONG": exif_of((ORIENTATION, 4, 1, struct.pack("<I", 6))),
    "an orientation as BYTE": exif_of((ORIENTATION, 1, 1, b"\x06\0\0\0")),
    "64 kB behind it": exif_of(TURNED) + bytes(65000),
}
UNREADABLE_EXIF = {
    "nothing": b"Exif\0\0",
    "no TIFF": b"Exif\0\0" + b"\xff" * 40,
    "a directory behind the end": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "an orientation of 9": exif_of((ORIENTATION, 3, 1, short(9))),
    "an orientation of 0": exif_of((ORIENTATION, 3, 1, short(0))),
    "an orientation in letters": exif_of((ORIENTATION, 2, 4, b"six\0")),
}


@pytest.mark.parametrize("exif", ODD_EXIF.values(), ids=ODD_EXIF)
def test_a_rotated_photo_is_turned_whatever_else_its_exif_says(exif: bytes) -> None:
    assert shown(jpeg_with(PHOTO, segment(0xE1, exif))).size == (120, 160)
    assert shown(png_with(PHOTO, chunk(b"eXIf", exif[6:]))).size == (120, 160)
    assert shown(webp_with(PHOTO, (b"EXIF", exif))).size == (120, 160)


@pytest.mark.parametrize("exif", UNREADABLE_EXIF.values(), ids=UNREADABLE_EXIF)
def test_unreadable_exif_turns_nothing_and_refuses_nothing(exif: bytes) -> None:
    assert shown(jpeg_with(PHOTO, segment(0xE1, exif))).size == (160, 120)
    assert shown(png_with(PHOTO, chunk(b"eXIf", exif[6:]))).size == (160, 120)
    assert shown(webp_with(PHOTO, (b"EXIF", exif))).size == (160, 120)


def test_big_endian_exif_is_read_too() -> None:
    value = struct.pack(">HH", 8, 0)
    assert orientation_of(exif_of((ORIENTATION, 3, 1, value), order=">")) == 8


@given(st.binary(max_size=200))
def test_any_bytes_for_exif_give_an_orientation(data: bytes) -> None:
    assert 1 <= orientation_of(b"II*\0\x08\0\0\0" + data) <= 8


# -- PNG ----------------------------------------------------------------------------------------

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ODD_CHUNKS = {
    "a workflow of 3 MB": [chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(3_000_000)))],
    "an iTXt of 3 MB": [chunk(b"iTXt", b"p\0\x01\0\0\0" + zlib.compress(b"x" * 3_000_000))],
    "75 texts of 1 MB": [chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))] * 75,
    "a profile of 3 MB": [chunk(b"iCCP", b"p\0\0" + zlib.compress(SRGB + bytes(3_000_000)))],
    "a profile that is none": [chunk(b"iCCP", b"p\0\0" + zlib.compress(b"hello"))],
    "a profile packed by nobody knows what": [chunk(b"iCCP", b"p\0\x07abc")],
    "a profile without a name's end": [chunk(b"iCCP", b"profile")],
    "an empty profile": [chunk(b"iCCP", b"")],
    "a text packed by nobody knows what": [chunk(b"zTXt", b"k\0\x09abc")],
    "a gamma cut short": [chunk(b"gAMA", b"\0")],
    "chromaticities cut short": [chunk(b"cHRM", b"\0\0")],
    "a resolution cut short": [chunk(b"pHYs", b"\0")],
    "a rendering intent cut short": [chunk(b"sRGB", b"")],
    "EXIF that is none": [chunk(b"eXIf", b"\xff" * 9)],
    "XMP that turns": [chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>')],
    "a chunk of a name that is no text": [chunk(b"\xe9\xe9\xe9\xe9", b"abc")],
    "a transparent colour cut short": [chunk(b"tRNS", b"\0")],
    "an animation cut short": [chunk(b"acTL", b"\0")],
    "an animation out of order": [chunk(b"acTL", struct.pack(">II", 3, 0)), chunk(b"fcTL", b"x")],
}


@pytest.mark.parametrize("chunks", ODD_CHUNKS.values(), ids=ODD_CHUNKS)
def test_a_png_is_shown_whatever_stands_beside_its_pixels(chunks: list[bytes]) -> None:
    assert shown(png_with(PHOTO, *chunks)) == shown(encode(PHOTO))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", b"k\0v"), (b"zTXt", b"k\0\0" + zlib.compress(b"v")), (b"iTXt", b"k\0\0\0\0\0v"),
        (b"gAMA", b"\0\0\xb1\x8f"), (b"iCCP", b"p\0\0" + zlib.compress(SRGB)), (b"eXIf", b"MM"),
        (b"sRGB", b"\0"), (b"pHYs", bytes(9)), (b"tIME", bytes(7)), (b"cHRM", bytes(32)),
        (b"acTL", struct.pack(">II", 1, 0)), (b"prVt", b"x"),
    ],
)  # fmt: skip
def test_a_wrong_checksum_beside_the_pixels_is_ignored(kind: bytes, body: bytes) -> None:
    image = shown(png_with(PHOTO, chunk(kind, body, checksum=1)))
    difference = max(abs(a - b) for a, b in zip(image.tobytes(), PHOTO.tobytes(), strict=True))
    assert difference <= 2  # a colour profile rounds


def test_a_wrong_checksum_of_the_pixels_is_ignored_as_browsers_do() -> None:
    data = encode(PHOTO)
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    broken = data[: at + 4 + length] + b"\1\2\3\4" + data[at + 8 + length :]
    assert shown(broken) == shown(data)


def test_a_wrong_checksum_of_the_header_is_said() -> None:
    data = bytearray(encode(PHOTO))
    data[29:33] = b"\1\2\3\4"
    assert normalise("p", bytes(data), LIMITS).notes == (("note_damaged", {}),)


def test_a_sound_profile_still_counts_and_a_large_one_too() -> None:
    """Its red is another than a screen's: a green of 60 red becomes one of 76."""
    wide = wide_profile()
    plain = Image.new("RGB", (64, 64), (60, 160, 60))
    plain.paste((200, 200, 200), (0, 32, 64, 64))
    for data in (
        encode(plain, icc_profile=wide),
        png_with(plain, chunk(b"iCCP", b"p\0\0" + zlib.compress(wide + bytes(3_000_000)))),
        encode(plain, "WEBP", lossless=True, icc_profile=wide),
        encode(plain, "TIFF", icc_profile=wide),
        encode(plain, "JPEG", quality=100, subsampling=0, icc_profile=wide),
    ):
        pixel = shown(data).getpixel((20, 10))
        assert isinstance(pixel, tuple)
        assert pixel[0] > 70


def wide_profile() -> bytes:
    """sRGB's own profile with its red far out: the tag `rXYZ` points to three numbers."""
    data = bytearray(SRGB)
    at = data.index(b"rXYZ")
    (offset,) = struct.unpack_from(">I", data, at + 4)
    x, y, z = struct.unpack_from(">iii", data, offset + 8)
    struct.pack_into(">iii", data, offset + 8, x * 13 // 10, y // 2, z)
    return bytes(data)


def test_a_png_of_millions_of_empty_chunks_costs_no_time() -> None:
    data = png_with(PHOTO, *[chunk(b"prVt", b"")] * 2_400_000)
    begin = time.process_time()
    with pytest.raises(PictureRefused):
        normalise("p", data, LIMITS)
    assert time.process_time() - begin < 3  # it took 6.2 s


def test_a_png_of_as_many_chunks_as_pictures_have_is_fine() -> None:
    assert shown(png_with(PHOTO, *[chunk(b"tEXt", b"k\0v")] * 10_000)) == shown(encode(PHOTO))


def test_pixels_in_very_many_pieces_are_one_picture() -> None:
    data = encode(PHOTO)
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    body = data[at + 4 : at + 4 + length]
    pieces = b"".join(
        chunk(b"IDAT", body[i : i + 3]) + chunk(b"IDAT", b"") for i in range(0, length, 3)
    )
    assert shown(data[: at - 4] + pieces + data[at + 8 + length :]) == shown(data)


# -- JPEG ---------------------------------------------------------------------------------------

ODD_SEGMENTS = {
    "a comment": [segment(0xFE, b"\0\xff" * 300)],
    "JFIF cut short": [segment(0xE0, b"JFIF\0")],
    "XMP that turns": [segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>')],
    "a profile cut short": [segment(0xE2, b"ICC_PROFILE\0")],
    "a profile that is none": [segment(0xE2, b"ICC_PROFILE\0\x01\x01hello")],
    "the second half of a profile": [segment(0xE2, b"ICC_PROFILE\0\x02\x02hello")],
    "an index of pictures that is none": [segment(0xE2, b"MPF\0\xff\xff\xff\xff")],
    "an index of a thousand pictures": [segment(0xE2, b"MPF\0" + exif_of(
        (0xB001, 4, 1, struct.pack("<I", 1000)), (0xB002, 7, 16, bytes(4)))[6:])],
    "Photoshop's resources cut short": [segment(0xED, b"Photoshop 3.0\x008BIM\x04")],
    "Adobe's mark cut short": [segment(0xEE, b"Adobe")],
    "300 segments": [segment(0xE5, b"x" * 500)] * 300,
}  # fmt: skip


@pytest.mark.parametrize("segments", ODD_SEGMENTS.values(), ids=ODD_SEGMENTS)
def test_a_jpeg_is_shown_whatever_stands_beside_its_pixels(segments: list[bytes]) -> None:
    assert shown(jpeg_with(PHOTO, *segments)) == shown(jpeg_with(PHOTO))


def test_a_profile_of_several_parts_is_put_together_in_their_order() -> None:
    wide = wide_profile()
    parts = [
        segment(0xE2, b"ICC_PROFILE\0\x02\x02" + wide[200:]),
        segment(0xE2, b"ICC_PROFILE\0\x01\x02" + wide[:200]),
    ]
    plain = Image.new("RGB", (64, 64), (60, 160, 60))
    plain.paste((200, 200, 200), (0, 32, 64, 64))
    pixel = shown(jpeg_with(plain, *parts, subsampling=0)).getpixel((20, 10))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 70


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_marks_that_say_how_colours_are_stored_stay(mode: str) -> None:
    expected = PHOTO.convert(mode).convert("RGB")
    image = shown(jpeg_with(PHOTO.convert(mode), segment(0xFE, b"x")))
    # Not the grain, the colours: a mean over each ninth of the picture.
    ours, theirs = (i.resize((3, 3), Image.Resampling.BOX).tobytes() for i in (image, expected))
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 6


def test_a_jpeg_of_millions_of_segments_costs_no_time() -> None:
    data = encode(PHOTO, "JPEG")
    begin = time.process_time()
    with pytest.raises(PictureRefused):
        normalise("p", data[:2] + segment(0xFE, b"") * 5_000_000 + data[2:], LIMITS)
    assert time.process_time() - begin < 3


# -- WebP, GIF, TIFF, HEIF, AVIF ----------------------------------------------------------------


def webp_with(image: Image.Image, *chunks: tuple[bytes, bytes]) -> bytes:
    """An extended WebP with chunks in front of and behind its pixels."""
    simple = encode(image, "WEBP", lossless=True)
    flags = 0x08 * any(k == b"EXIF" for k, _ in chunks) | 0x20 | 0x04
    width, height = image.width - 1, image.height - 1
    extended = (
        bytes([flags, 0, 0, 0]) + struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
    )
    pieces = [b"VP8X" + struct.pack("<I", 10) + extended, simple[12:]]
    for kind, body in chunks:
        pieces.append(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2))
    content = b"WEBP" + b"".join(pieces)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def heif(image: Image.Image, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    return encode(image, "HEIF", **options)


def test_a_webp_is_shown_whatever_stands_beside_its_pixels() -> None:
    for kind, body in ((b"ICCP", b"no profile"), (b"XMP ", b"\xff" * 99), (b"prvt", b"abc")):
        assert shown(webp_with(PHOTO, (kind, body))) == shown(encode(PHOTO, "WEBP", lossless=True))


def test_a_gif_is_shown_whatever_its_comments_and_applications_say() -> None:
    data = encode(PHOTO.convert("P"), "GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    odd = [
        b"!\xfe\x04text\0", b"!\xfe\0", b"!\xff\x0bNETSCAPE2.0\x01\x01\0", b"!\xff\0",
        b"!\xf9\0", b"!\x01\x03abc\0", b"!\xce\0", b"!\xff\x0bXMP DataXMP" + b"\xff" * 256 + b"\0",
    ]  # fmt: skip
    for extension in odd:
        assert shown(data[:start] + extension + data[start:]) == shown(data)


TIFF_TAGS = {
    "a private tag of bytes": (50000, 7, 4, b"abcd"),
    "a private tag far behind the end": (50001, 7, 5000, b"\xff\xff\xff\x0f"),
    "XMP that is none": (700, 1, 4, b"abcd"),
    "Photoshop's resources": (34377, 1, 4, b"8BIM"),
    "a software in numbers": (305, 4, 1, b"abcd"),
    "EXIF in letters": (34665, 2, 4, b"abc\0"),
    "EXIF that contains itself": (34665, 4, 1, struct.pack("<I", 8)),
    "GPS far behind the end": (34853, 4, 1, b"\xff\xff\xff\x7f"),
    "a resolution in letters": (282, 2, 4, b"abc\0"),
    "a profile that is none": (34675, 7, 4, b"abcd"),
    "a type that does not exist": (50002, 99, 1, b"abcd"),
    "an orientation of 99": (274, 3, 1, short(99)),
}


def tiff_with(image: Image.Image, entry: tuple[int, int, int, bytes], **options: object) -> bytes:
    """A TIFF with one more tag in its directory, which moves to the end."""
    data = encode(image, "TIFF", **options)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = [data[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries = [e for e in entries if struct.unpack_from("<H", e)[0] != entry[0]]
    entries.append(struct.pack("<HHI", *entry[:3]) + entry[3])
    entries.sort(key=lambda e: struct.unpack_from("<H", e)[0])
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["raw", "lzw"])
@pytest.mark.parametrize("entry", TIFF_TAGS.values(), ids=TIFF_TAGS)
def test_a_tiff_is_shown_whatever_its_other_tags_say(
    entry: tuple[int, int, int, bytes], options: dict[str, object]
) -> None:
    assert shown(tiff_with(PHOTO, entry, **options)).tobytes() == PHOTO.tobytes()


@pytest.mark.parametrize("entry", TIFF_TAGS.values(), ids=TIFF_TAGS)
def test_a_tiff_is_turned_whatever_its_other_tags_say(entry: tuple[int, int, int, bytes]) -> None:
    if entry[0] == 274:
        return
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    assert shown(tiff_with(PHOTO, entry, exif=exif)).size == (120, 160)


@pytest.mark.parametrize("exif", [b"Exif\0\0\xff\xff", b"\xff" * 50, exif_of(TURNED)[6:]])
def test_heic_and_avif_are_turned_by_their_boxes_alone(exif: bytes) -> None:
    real = Image.Exif()
    real[ORIENTATION] = 6
    real[0x010E] = "a description"
    placeholder = real.tobytes()
    for data in (heif(PHOTO, exif=placeholder), encode(PHOTO, "AVIF", exif=placeholder)):
        # Written by a library, they have a box that turns them, beside their EXIF.
        at = data.index(b"MM\0*")
        odd = data[:at] + exif[:20].ljust(20, b"\xff") + data[at + 20 :]
        assert shown(data).size == (120, 160)
        assert shown(odd) == shown(data)


# -- Any byte of any metadata -------------------------------------------------------------------


def bodies_with_metadata() -> dict[str, tuple[bytes, bytes]]:
    """A file of each format, and the bytes in it that say nothing about its pixels."""
    secret = bytes(33 + 7 * i % 90 for i in range(300))  # of ASCII: XMP is text
    profile = bytes(range(1, 200))
    png = png_with(
        PHOTO, chunk(b"tEXt", b"k\0" + secret), chunk(b"iTXt", secret), chunk(b"gAMA", profile)
    )
    gif = encode(PHOTO.convert("P"), "GIF")
    start = 13 + (3 << (gif[10] & 7) + 1)
    comment = bytes(b or 1 for b in secret[:255])
    return {
        "PNG": (png, secret),
        "JPEG": (jpeg_with(PHOTO, segment(0xE1, secret), segment(0xFE, profile)), secret),
        "WEBP": (webp_with(PHOTO, (b"XMP ", secret)), secret),
        "GIF": (gif[:start] + b"!\xfe\xff" + comment + b"\0" + gif[start:], comment),
        "TIFF": (encode(PHOTO, "TIFF", exif=_described(secret)), secret),
        "HEIF": (heif(PHOTO, xmp=secret), secret),
        "AVIF": (encode(PHOTO, "AVIF", xmp=secret), secret),
    }


def _described(secret: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif[37510] = secret
    return exif


FILES = bodies_with_metadata()
PLAIN = {kind: shown(data).tobytes() for kind, (data, _) in FILES.items()}


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 254), st.integers(0, 255)), max_size=40))
def test_no_byte_of_metadata_changes_or_refuses_a_picture(
    kind: str, changes: list[tuple[int, int]]
) -> None:
    data, secret = FILES[kind]
    at = data.index(secret)
    changed = bytearray(data)
    for where, value in changes:
        changed[at + where] = value
    assert shown(bytes(changed)).tobytes() == PLAIN[kind]
