"""Decode, bound and normalise what people send.

Everything here is plain and slow: call it in a thread, never on the event loop. The type is
decided from the bytes, the limits hold before anything is decoded, and what comes out is upright,
RGB, bounded and without metadata.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from functools import cache

import pillow_heif
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from bot.errors import PictureRefused
from bot.texts import say
from inference.types import Picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "HEIF", "AVIF")
ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}
PAGED = {"TIFF"}
REDUCED = {"JPEG", "MPO"}
REDUCED_FACTOR = 4
"""These are decoded at a fraction of their size, so they may have that many times more pixels."""
LOSSY = {"JPEG", "MPO", "WEBP", "HEIF", "AVIF"}

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"}

PICTURE_SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
}  # fmt: skip
"""Names of files that may be pictures end in one of these; the bytes decide."""

MAX_ASPECT = 50
"""A picture this many times longer than wide shows nothing at a model's size."""
MIN_SIDE_PX = 32
"""Smaller pictures are enlarged: some models refuse less than one patch."""
MAX_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """What is read at all, and how large a picture is kept."""

    max_bytes: int = 30_000_000
    max_pixels: int = 50_000_000
    """Four times as many for JPEG; each pixel takes 4 to 8 bytes while it is worked on."""
    max_side_px: int = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedPicture:
    """A picture as it is stored, and what was done to it."""

    picture: Picture
    name: str
    notes: tuple[tuple[str, dict[str, int]], ...] = ()
    """(key of a sentence, its values)."""

    def notes_in(self, locale: str) -> tuple[str, ...]:
        """What was done, in the asker's language."""
        return tuple(say(locale, key, **values) for key, values in self.notes)


def short_name(name: str) -> str:
    """A file's name as it is shown: one line, bounded."""
    printable = "".join(c if c.isprintable() else " " for c in name).strip() or "picture"
    if len(printable) <= MAX_NAME_LENGTH:
        return printable
    return f"{printable[: MAX_NAME_LENGTH - 12]}…{printable[-11:]}"


def check_size(name: str, size_bytes: int, limits: PictureLimits) -> None:
    """Refuse a file by its length alone. Raises: PictureRefused."""
    if size_bytes == 0:
        raise PictureRefused("picture_empty", name=short_name(name))
    if size_bytes > limits.max_bytes:
        raise PictureRefused(
            "picture_too_large",
            name=short_name(name),
            size_mb=size_bytes / 1e6,
            limit_mb=limits.max_bytes / 1e6,
        )


def normalise(name: str, data: bytes, limits: PictureLimits) -> NormalisedPicture:
    """Turn a file into an upright, bounded RGB picture without metadata.

    Animated files and multi-page TIFFs give their first frame and a note that says so.

    Raises:
        PictureRefused: with a sentence that names the file and the reason.
    """
    check_size(name, len(data), limits)
    _prepare_pillow()
    name = short_name(name)
    try:
        return _normalise(name, data, limits)
    except UnidentifiedImageError:
        raise _not_a_picture(name, data) from None
    except PictureRefused:
        raise
    except Exception:  # noqa: BLE001 - decoders raise anything at all on damaged files
        raise PictureRefused("picture_damaged", name=name) from None


@cache
def _prepare_pillow() -> None:
    Image.init()
    pillow_heif.register_heif_opener()
    # Pillow warns of odd metadata, which is thrown away here anyway.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Our own limit is checked on the header, below; Pillow's would refuse large phone photos.
    Image.MAX_IMAGE_PIXELS = None


def _normalise(name: str, data: bytes, limits: PictureLimits) -> NormalisedPicture:
    with Image.open(io.BytesIO(data), formats=FORMATS) as file:
        width, height = file.size
        max_pixels = limits.max_pixels * (REDUCED_FACTOR if _is_reducible(file) else 1)
        if width * height > max_pixels:
            raise PictureRefused(
                "picture_too_many_pixels",
                name=name,
                width=width,
                height=height,
                limit_mp=max_pixels / 1e6,
            )
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise PictureRefused("picture_too_narrow", name=name, width=width, height=height)
        notes = _frame_notes(file)
        lossy = file.format in LOSSY
        # A JPEG decodes straight to a half, a quarter or an eighth of its size, four times faster;
        # three quarters of the bound are enough, so that a photo of 4,000 pixels takes that way.
        enough = limits.max_side_px * 0.75 / max(width, height)
        file.draft("RGB", (max(1, int(width * enough)), max(1, int(height * enough))))
        upright = ImageOps.exif_transpose(file)
        # Bounded first: everything after it then works on little.
        bounded = _clean(_to_rgb(_bound(_deep_enough(upright), limits.max_side_px)))
    if (upright.width < upright.height) != (width < height):
        width, height = height, width  # say the sizes as the asker sees the picture
    if bounded.width < width or bounded.height < height:
        sizes = {"width": width, "height": height}
        new_sizes = {"new_width": bounded.width, "new_height": bounded.height}
        notes = (*notes, ("note_shrunk", sizes | new_sizes))
    return NormalisedPicture(picture=_encode(bounded, lossy=lossy), name=name, notes=notes)


def _is_reducible(file: Image.Image) -> bool:
    """Whether it is decoded at a fraction of its size: a progressive JPEG is held whole."""
    return file.format in REDUCED and not file.info.get("progressive")


def _frame_notes(file: Image.Image) -> tuple[tuple[str, dict[str, int]], ...]:
    if file.format in ANIMATED and (frames := getattr(file, "n_frames", 1)) > 1:
        return (("note_first_frame", {"frames": frames}),)
    if file.format in PAGED and _has_second_page(file):
        return (("note_first_page", {}),)
    return ()


def _has_second_page(file: Image.Image) -> bool:
    """Whether there is one; not how many, since counting reads a TIFF of any length to its end."""
    try:
        file.seek(1)
    except EOFError:
        return False
    file.seek(0)
    return True


def _deep_enough(image: Image.Image) -> Image.Image:
    """Bring palettes, bits and deep greys to a mode that can be scaled."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _eight_bits(image)
    if image.mode in {"1", "P", "PA"}:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Lay transparency on white and bring the colours to sRGB."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            return _to_srgb(image, profile)
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile: the colours as they stand are the best there is
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    if converted is None:
        raise ImageCms.PyCMSError("no conversion")
    return converted


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and floating-point grey to 0…255."""
    image = image.convert("F")
    low, high = image.getextrema()
    if isinstance(low, tuple) or isinstance(high, tuple):
        raise TypeError("grey expected")
    if low >= 0 and 255 < high <= 65535:
        low, high = 0, 65535
    elif low >= 0 and high <= 1:
        low, high = 0, 1
    elif low >= 0 and high <= 255:
        low, high = 0, 255
    scale = 255 / (high - low) if high > low else 1.0
    return image.point(lambda value: value * scale - low * scale).convert("L")


def _bound(image: Image.Image, max_side_px: int) -> Image.Image:
    if min(image.size) < MIN_SIDE_PX:
        factor = MIN_SIDE_PX / min(image.size)
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BICUBIC)
    if max(image.size) > max_side_px:
        image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def _clean(image: Image.Image) -> Image.Image:
    """A fresh image: Pillow would write comments and profiles of the old one into the new file."""
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    return clean


def _encode(image: Image.Image, *, lossy: bool) -> Picture:
    file = io.BytesIO()
    if lossy:
        image.save(file, "JPEG", quality=95, subsampling=0)
    else:
        image.save(file, "PNG", compress_level=3)
    data = file.getvalue()
    return Picture(
        digest=hashlib.sha256(data).hexdigest(),
        data=data,
        width_px=image.width,
        height_px=image.height,
    )


def _not_a_picture(name: str, data: bytes) -> PictureRefused:
    head = data[:4096].lstrip().lower()
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        return PictureRefused("picture_damaged", name=name)
    kinds = {
        "what_pdf": head.startswith(b"%pdf"),
        "what_svg": b"<svg" in head,
        "what_html": head.startswith((b"<!doctype html", b"<html")),
        "what_video": data[4:8] == b"ftyp" or head.startswith(b"\x1aE\xdf\xa3".lower()),
    }
    for what, is_it in kinds.items():
        if is_it:
            return OtherFile(name, what)
    return PictureRefused("picture_unknown", name=name)


class OtherFile(PictureRefused):
    """Not a picture, but something that people know by name."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__("picture_is_other", name=name)
        self.what = what

    def sentence(self, locale: str) -> str:
        """In the asker's language, the kind of file too."""
        return say(locale, self.key, **self.values, what=say(locale, self.what))
