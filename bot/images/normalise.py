"""Decode, bound and normalise what people send.

Everything here is plain and slow, and codecs crash: the bot calls it in processes of their own
(`bot/images/decoding/`). The type is decided from the bytes, the limits hold before anything is
decoded, and what comes out is upright, RGB, bounded and without metadata.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from dataclasses import replace
from functools import cache, partial

import pillow_heif
from PIL import AvifImagePlugin, Image, ImageCms

from bot.errors import NotAPicture, PictureRefused
from bot.images.containers.metadata import pixels_of
from bot.images.containers.parts import Pixels, TooManyParts, orientation_of
from bot.images.containers.signatures import FILMS, other_kind, picture_format
from bot.images.damage import Decoded, decode
from bot.images.file_names import short_name
from bot.images.frames import ANIMATED, frame_notes, frames_of
from bot.images.moving.animations import look_through
from bot.images.moving.sheets import sheet_of
from bot.images.moving.shots import Looked, Shot, telling
from bot.images.opening import Opener
from bot.images.tones import brightened, eight_bits, uses_few_bits
from bot.images.transparency import is_empty, is_flat, on_ground, visible
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture, Notes
from inference.types import Picture

LOSSY = {"JPEG", "WEBP", "HEIF", "AVIF", *FILMS}

_CODEC_THREADS = 4

MIN_SIDE_PX = 32
"""Smaller pictures are enlarged: some models refuse less than one patch."""

NEARLY_WHOLE = 0.9
"""From this share of its rows on, a damaged picture shows what it is about: a note is enough."""
WORTH_A_LOOK = 0.5
"""Below this share, answers would be about what is not there: the picture is refused."""

_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by EXIF's number."""


def check_size(name: str, size_bytes: int, limits: PictureLimits) -> None:
    """Refuse a file by its length alone. Raises: PictureRefused."""
    if size_bytes == 0:
        raise PictureRefused("picture_empty", name=short_name(name))
    if size_bytes > limits.max_bytes:
        raise PictureRefused(
            "picture_too_large",
            name=short_name(name),
            size_bytes=size_bytes,
            limit_bytes=limits.max_bytes,
        )


def normalise(name: str, data: bytes, limits: PictureLimits) -> NormalisedPicture:
    """Turn a file into an upright, bounded RGB picture without metadata.

    Frames of an animation are laid on one picture. Of several pages or pictures, one is taken, and
    a note says which. A note also tells what was done to make something visible, and what cannot
    be: a damaged file, one flat colour.

    Raises:
        PictureRefused: with a sentence that names the file and the reason.
    """
    check_size(name, len(data), limits)
    prepare()
    kind = check_kind(name, data)
    name = short_name(name)
    try:
        return _normalise(name, kind, data, limits)
    except PictureRefused:
        raise
    except TooManyParts as exc:
        raise PictureRefused("picture_too_many_parts", name=name, limit=exc.limit) from None
    except MemoryError:
        raise PictureRefused("picture_too_much_memory", name=name) from None
    except Exception:  # noqa: BLE001 - decoders raise anything at all on damaged files
        raise PictureRefused("picture_damaged", name=name) from None


def check_kind(name: str, data: bytes) -> str:
    """The picture's format, by its first bytes. Raises: PictureRefused: it is no picture."""
    kind = picture_format(data)
    if kind is not None:
        return kind
    name, other = short_name(name), other_kind(data)
    raise NotAPicture(other, name=name) if other else PictureRefused("picture_unknown", name=name)


@cache
def prepare() -> None:
    """Load the decoders: all modules that any picture needs."""
    from bot.images.moving import films  # FFmpeg, which the bot's own process does without

    films.prepare()
    Image.init()
    # As many threads as a large photo profits from; on a large machine they would be a hundred.
    AvifImagePlugin.DEFAULT_MAX_THREADS = min(_CODEC_THREADS, os.cpu_count() or 1)
    # Only the pictures themselves are used, and anything that is read may be broken.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    # Pillow warns of odd metadata, which is thrown away here anyway.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Our own limit is checked on the header, below; Pillow's would refuse large phone photos.
    Image.MAX_IMAGE_PIXELS = None


def _normalise(name: str, kind: str, data: bytes, limits: PictureLimits) -> NormalisedPicture:
    if kind in FILMS:
        return _normalise_film(name, kind, data, limits)
    pixels = pixels_of(kind, data)
    opener = Opener(
        name,
        kind,
        max_pixels=limits.max_pixels,
        max_side_px=limits.max_side_px,
        scans=pixels.scans,
    )
    decoded = _decode(opener, kind, pixels)
    notes = _damage_notes(name, decoded, pixels)
    if kind == "AVIF":
        # Its decoder says how its boxes turn it, and leaves the turning to us.
        turned = orientation_of(decoded.file.info.get("exif", b""))
        pixels = replace(pixels, orientation=turned)
    finish = partial(_finish, kind=kind, pixels=pixels, max_side_px=limits.max_side_px)
    with decoded.file as file:
        seen: Notes = ()
        frames, chosen = frames_of(file, kind), 1
        if opener.is_deep and uses_few_bits(file):
            brighter, seen = brightened(file, opener.lower_bits(pixels.data))
            picture, done = finish(brighter)
        else:
            picture, done = finish(file)
        if kind in ANIMATED and frames > 1 and not seen and not decoded.damaged:
            ground = picture if is_empty(file) else None
            first = Shot(number=1, at_ms=0, image=picture, notes=done, ground=ground)
            looked = look_through(file, frames, finish, first, processor_s=limits.decode_s)
            shots = telling(looked.shots) or [first]
            if len(shots) > 1:
                return _on_one_sheet(name, kind, shots, looked, notes, limits)
            [shot] = shots
            chosen, picture, done = shot.number, shot.image, shot.notes
    notes += frame_notes(kind, frames, chosen, more_pages=pixels.more_pages) + seen + done
    if is_flat(picture):
        notes += (("note_flat", {}),)
    width, height = opener.size
    if pixels.orientation >= 5:
        width, height = height, width  # sizes as the user sees the picture
    if picture.width < width or picture.height < height:
        sizes = {"width": width, "height": height}
        new_sizes = {"new_width": picture.width, "new_height": picture.height}
        notes += (("note_shrunk", sizes | new_sizes),)
    return NormalisedPicture(picture=encode(picture, lossy=kind in LOSSY), name=name, notes=notes)


def _normalise_film(name: str, kind: str, data: bytes, limits: PictureLimits) -> NormalisedPicture:
    from bot.images.moving.films import look_at_film

    looked = look_at_film(name, kind, data, limits)
    shots = telling(looked.shots) or [looked.shots[0]]
    if len(shots) > 1:
        return _on_one_sheet(name, kind, shots, looked, (), limits)
    picture = _bound(shots[0].image, limits.max_side_px)
    notes: Notes = (("note_film_still", {}),)
    if not looked.is_whole:
        notes += (("note_only_beginning", {}),)
    if is_flat(picture):
        notes += (("note_flat", {}),)
    return NormalisedPicture(picture=encode(picture, lossy=True), name=name, notes=notes)


def _on_one_sheet(
    name: str, kind: str, shots: list[Shot], looked: Looked, notes: Notes, limits: PictureLimits
) -> NormalisedPicture:
    """The picture of two or more frames. Which they are is told where it is shown."""
    picture, sheet = sheet_of(shots, limits.max_side_px)
    if not looked.is_whole:
        notes += (("note_only_beginning", {}),)
    for note in (note for shot in shots for note in shot.notes):
        notes += () if note in notes else (note,)
    return NormalisedPicture(
        picture=encode(picture, lossy=kind in LOSSY), name=name, notes=notes, sheet=sheet
    )


def _decode(opener: Opener, kind: str, pixels: Pixels) -> Decoded:
    try:
        return decode(opener, kind, pixels.data)
    except PictureRefused:
        raise
    except Exception:
        if pixels.still is None:
            raise
        return decode(opener, kind, pixels.still)  # a broken animation of a sound picture


def _damage_notes(name: str, decoded: Decoded, pixels: Pixels) -> Notes:
    percent = int(100 * decoded.share)
    if decoded.share < WORTH_A_LOOK and decoded.certain:
        raise PictureRefused("picture_mostly_missing", name=name, percent=percent)
    coarse: Notes = (("note_coarse", {}),) if decoded.coarse else ()
    if decoded.share < NEARLY_WHOLE:
        return (("note_partly_missing", {"percent": percent}), *coarse)
    if coarse:
        return coarse
    if decoded.damaged:
        return (("note_end_missing", {}),)
    return (("note_damaged", {}),) if pixels.damaged else ()


def _finish(
    image: Image.Image, *, kind: str, pixels: Pixels, max_side_px: int
) -> tuple[Image.Image, Notes]:
    """Make the picture of a decoded frame: upright, eight bits, bounded, without transparency."""
    profile = pixels.profile or image.info.get("icc_profile")
    if pixels.orientation in _TURNED:
        image = image.transpose(_TURNED[pixels.orientation])
    image, tones = eight_bits(image, white_is_zero=pixels.white_is_zero)
    image, seen = visible(image, kind)
    # Bounded before what follows, which then works on little.
    image, ground = on_ground(_bound(image, max_side_px))
    return _clean(_to_srgb(image, profile)), tones + seen + ground


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Convert to sRGB; unchanged if the profile is broken or of another colour model."""
    if isinstance(profile, bytes) and image.mode in {"RGB", "CMYK", "L"}:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _bound(image: Image.Image, max_side_px: int) -> Image.Image:
    if min(image.size) < MIN_SIDE_PX:
        factor = MIN_SIDE_PX / min(image.size)
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BICUBIC)
    if max(image.size) > max_side_px:
        # Not by thumbnail(), which changes the file that further frames are read from.
        factor = max_side_px / max(image.size)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def _clean(image: Image.Image) -> Image.Image:
    """A fresh image: Pillow would write comments and profiles of the old one into the new file."""
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    return clean


def encode(image: Image.Image, *, lossy: bool) -> Picture:
    """An RGB image as it is stored: JPEG if `lossy`, otherwise PNG."""
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
