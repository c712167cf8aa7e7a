"""What passes between the bot and a decoding process: a header in JSON, then bytes.

Neither side unpickles anything, and the reader says how much it takes: what has read a hostile
picture is not believed either.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
from collections.abc import Callable
from typing import Any

_LENGTHS = struct.Struct(">IQ")
MAX_HEADER_BYTES = 64_000
_AT_ONCE_BYTES = 1 << 20

Read = Callable[[int], bytes]
"""Reads at most so many bytes; none at the end."""


class BrokenFrame(Exception):
    """The other side has ended, or says what cannot be."""


def widen(descriptor: int) -> None:
    """Let a pipe hold a whole picture, where the system has that: fewer turns for both sides."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _AT_ONCE_BYTES)


def frame(header: dict[str, Any], payload: bytes = b"") -> tuple[bytes, bytes]:
    """The two pieces to write."""
    encoded = json.dumps(header).encode()
    return _LENGTHS.pack(len(encoded), len(payload)) + encoded, payload


def write_frame(descriptor: int, header: dict[str, Any], payload: bytes = b"") -> None:
    """Raises: OSError: nobody reads it."""
    for piece in frame(header, payload):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(descriptor, rest[:_AT_ONCE_BYTES]) :]


def read_frame(read: Read, *, max_payload_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Raises: BrokenFrame."""
    header_bytes, payload_bytes = _LENGTHS.unpack(_read_exactly(read, _LENGTHS.size))
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > max_payload_bytes:
        raise BrokenFrame
    encoded = _read_exactly(read, header_bytes)
    payload = _read_exactly(read, payload_bytes)
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError):
        raise BrokenFrame from None
    if not isinstance(header, dict):
        raise BrokenFrame
    return header, payload


def _read_exactly(read: Read, count: int) -> bytes:
    pieces: list[bytes] = []
    while count:
        piece = read(min(count, _AT_ONCE_BYTES))
        if not piece:
            raise BrokenFrame
        pieces.append(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
