"""TIFF's directory: which of its tags the pixels need."""

from __future__ import annotations

import struct

from bot.images.containers.parts import ORIENTATION_TAG, Pixels, TooManyParts

BITS_TAG, PHOTOMETRIC_TAG, ICC_PROFILE_TAG = 258, 262, 34675
_NEEDED = {
    256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325,
    338, 339, 347, *range(512, 522), 529, 530, 531, 532, ICC_PROFILE_TAG,
}  # fmt: skip
"""Size, depth, compression, meaning of the samples, where they lie, palette, tables of JPEG."""

MAX_ENTRIES = 4_096
"""Of one directory: a page has some twenty, a camera's raw file a hundred."""


def strip_tiff(data: bytes) -> Pixels:
    """Point a TIFF to a new directory that holds nothing but what its first page needs.

    The old one stays in the file and is not read. The page is alone in the new one: a chain
    of a hundred thousand pages takes a minute to walk.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = 43 in data[2:4]
    entry_bytes, count_kind, offset_kind = (20, "Q", "Q") if is_big else (12, "H", "I")
    (start,) = struct.unpack_from(f"{order}{offset_kind}", data, 8 if is_big else 4)
    (count,) = struct.unpack_from(f"{order}{count_kind}", data, start)
    if count > MAX_ENTRIES:
        raise TooManyParts(MAX_ENTRIES)
    first = start + struct.calcsize(count_kind)
    end = first + entry_bytes * count
    if end > len(data):
        return Pixels(data=data)
    entries = [data[at : at + entry_bytes] for at in range(first, end, entry_bytes)]
    tags = [struct.unpack_from(f"{order}H", entry)[0] for entry in entries]
    kept = [entry for tag, entry in zip(tags, entries, strict=True) if tag in _NEEDED]
    white_is_zero = _turn_white_is_zero(order, kept)
    directory = (
        struct.pack(f"{order}{count_kind}", len(kept))
        + b"".join(kept)
        + bytes(struct.calcsize(offset_kind))
    )
    padding = bytes(-len(data) % 8)
    where = struct.pack(f"{order}{offset_kind}", len(data) + len(padding))
    at = 8 if is_big else 4
    (following,) = _unpack_or_zero(f"{order}{offset_kind}", data, end)
    return Pixels(
        data=data[:at] + where + data[at + len(where) :] + padding + directory,
        orientation=_orientation(order, tags, entries),
        white_is_zero=white_is_zero,
        more_pages=0 < following < len(data) and following != start,
    )


def _turn_white_is_zero(order: str, entries: list[bytes]) -> bool:
    """Call grey of 16 bits and more black-is-zero: Pillow takes it for that, or not at all."""
    tags = [struct.unpack_from(f"{order}H", entry)[0] for entry in entries]
    if BITS_TAG not in tags or PHOTOMETRIC_TAG not in tags:
        return False
    at = 8 if len(entries[0]) == 12 else 12
    meaning = entries[tags.index(PHOTOMETRIC_TAG)]
    bits = entries[tags.index(BITS_TAG)]
    (count,) = struct.unpack_from(order + ("I" if at == 8 else "Q"), bits, 4)
    if struct.unpack_from(f"{order}H", meaning, at)[0] != 0 or count != 1:
        return False
    if struct.unpack_from(f"{order}H", bits, at)[0] <= 8:
        return False
    black_is_zero = meaning[:at] + struct.pack(f"{order}H", 1) + meaning[at + 2 :]
    entries[tags.index(PHOTOMETRIC_TAG)] = black_is_zero
    return True


def _unpack_or_zero(form: str, data: bytes, at: int) -> tuple[int]:
    return struct.unpack_from(form, data, at) if at + struct.calcsize(form) <= len(data) else (0,)


def _orientation(order: str, tags: list[int], entries: list[bytes]) -> int:
    if ORIENTATION_TAG not in tags:
        return 1
    entry = entries[tags.index(ORIENTATION_TAG)]
    kind = struct.unpack_from(f"{order}H", entry, 2)[0]
    form = {1: "B", 3: "H", 4: "I"}.get(kind)
    if form is None:
        return 1
    number: int = struct.unpack_from(order + form, entry, 12 if len(entry) == 20 else 8)[0]
    return number if 1 <= number <= 8 else 1
