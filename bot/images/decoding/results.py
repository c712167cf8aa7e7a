"""A normalised picture, or why there is none, as a decoding process says it; checked by the bot."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from bot.errors import PictureRefused
from bot.images.decoding.frames import BrokenFrame
from bot.values.pictures import NormalisedPicture, Notes, Sheet
from inference.types import Picture

_PNG_BEGINNING = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
_MOST_NOTES = 20


def result_of_picture(result: NormalisedPicture) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a picture."""
    sheet = {} if result.sheet is None else {"sheet": result.sheet.to_json()}
    return {"notes": list(result.notes)} | sheet, result.picture.data


def result_of_refusal(refusal: PictureRefused) -> dict[str, Any]:
    """Header of a refusal, without the name of the file: it is not known there."""
    values = {key: value for key, value in refusal.values.items() if key != "name"}
    return {"refused": refusal.key, "values": values}


def picture_in(
    name: str, header: dict[str, Any], data: bytes, *, max_side_px: int
) -> NormalisedPicture:
    """Read a result. `name`: the file's, shortened.

    Size and digest are found anew: a process that a picture has taken over may say anything.

    Raises:
        PictureRefused: what the process refused it with.
        BrokenFrame: it is neither a picture as the bot stores them nor a refusal.
    """
    check_refusal(name, header)
    size = stored_size(data)
    if size is None or not 0 < max(size) <= max_side_px:
        raise BrokenFrame
    return NormalisedPicture(
        name=name,
        notes=_notes_in(header),
        sheet=_sheet_in(header, *size),
        picture=Picture(
            digest=hashlib.sha256(data).hexdigest(),
            data=data,
            width_px=size[0],
            height_px=size[1],
        ),
    )


def check_refusal(name: str, header: dict[str, Any]) -> None:
    """Raises: PictureRefused: what the process refused the file with; BrokenFrame."""
    if "refused" in header:
        raise _refusal_in(name, header)


def _refusal_in(name: str, header: dict[str, Any]) -> PictureRefused:
    key, values = header.get("refused"), header.get("values")
    if not isinstance(key, str) or not key.startswith("picture_") or not isinstance(values, dict):
        raise BrokenFrame
    refusal = PictureRefused(key, **(_numbers(values) | {"name": name}))
    try:
        refusal.sentence("en")
    except (KeyError, ValueError, TypeError):
        raise BrokenFrame from None
    return refusal


def _notes_in(header: dict[str, Any]) -> Notes:
    notes = header.get("notes")
    if not isinstance(notes, list) or len(notes) > _MOST_NOTES:
        raise BrokenFrame
    found: list[tuple[str, dict[str, int]]] = []
    for note in notes:
        match note:
            case [str(key), dict(values)] if key.startswith("note_"):
                found.append((key, {name: int(value) for name, value in _numbers(values).items()}))
            case _:
                raise BrokenFrame
    return tuple(found)


def _sheet_in(header: dict[str, Any], width_px: int, height_px: int) -> Sheet | None:
    if "sheet" not in header:
        return None
    try:
        sheet = Sheet.from_json(header["sheet"])
    except ValueError:
        raise BrokenFrame from None
    left, top, right, bottom = sheet.boxes(width_px, height_px)[0]
    if left >= right or top >= bottom:
        raise BrokenFrame
    return sheet


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    if not all(type(value) in {int, float} for value in values.values()):
        raise BrokenFrame
    return values


def stored_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by the header of a PNG or JPEG; `None`: it is neither."""
    if data.startswith(_PNG_BEGINNING) and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, len(_PNG_BEGINNING))
        return width, height
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker < 0xC0 or marker == 0xDA or length < 2:
            return None
        at += 2 + length
    return None
