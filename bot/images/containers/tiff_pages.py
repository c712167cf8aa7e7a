"""The pages of a TIFF: each has a directory, which says where the next one is. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bot.images.containers.parts import TooManyParts

MAX_PAGES = 10_000
KIND_TAG = 254
"""What a directory describes. Tags ascend, and none in use is lower: it comes first."""
_LESS_THAN_A_PAGE = 0b101
"""The same picture in little, or a mask for another one."""


@dataclass(frozen=True, slots=True)
class _Layout:
    order: str
    header_at: int
    offset_kind: str
    count_kind: str
    entry_bytes: int

    def unpack(self, kind: str, data: bytes, at: int) -> int:
        """Raises: struct.error: the file ends before it."""
        number: int = struct.unpack_from(self.order + kind, data, at)[0]
        return number

    def next_at(self, data: bytes, start: int) -> int:
        """Where a directory says which one follows. Raises: struct.error."""
        count = self.unpack(self.count_kind, data, start)
        return start + struct.calcsize(self.count_kind) + count * self.entry_bytes


def pages_of(data: bytes) -> list[int]:
    """Where the directories of its pages begin; of a damaged file, those before the damage.

    Raises: TooManyParts.
    """
    layout = _layout_of(data)
    starts: list[int] = []
    seen: set[int] = set()
    try:
        start = layout.unpack(layout.offset_kind, data, layout.header_at)
        while start and start not in seen:
            if len(seen) == MAX_PAGES:
                raise TooManyParts(MAX_PAGES)
            seen.add(start)
            following = layout.unpack(layout.offset_kind, data, layout.next_at(data, start))
            if not _is_less_than_a_page(layout, data, start):
                starts.append(start)
            start = following
    except struct.error:
        pass
    return starts


def alone(data: bytes, start: int) -> bytes:
    """A file in which the page whose directory begins there is the only one.

    Raises: struct.error: it is damaged.
    """
    layout = _layout_of(data)
    changed = bytearray(data)
    struct.pack_into(layout.order + layout.offset_kind, changed, layout.header_at, start)
    struct.pack_into(layout.order + layout.offset_kind, changed, layout.next_at(data, start), 0)
    return bytes(changed)


def _layout_of(data: bytes) -> _Layout:
    order = "<" if data[:2] == b"II" else ">"
    if 43 in data[2:4]:
        return _Layout(order, 8, "Q", "Q", 20)
    return _Layout(order, 4, "I", "H", 12)


def _is_less_than_a_page(layout: _Layout, data: bytes, start: int) -> bool:
    first = start + struct.calcsize(layout.count_kind)
    if layout.unpack("H", data, first) != KIND_TAG:
        return False
    value_at = first + (12 if layout.entry_bytes == 20 else 8)
    return bool(layout.unpack("I", data, value_at) & _LESS_THAN_A_PAGE)
