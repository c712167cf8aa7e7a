"""The JSON of a request, without its pictures: those are megabytes of base64 in one string.

Scanning such a string as JSON would hold the interpreter, and with it the event loop, for a tenth
of a second. So long ones are found by their quotes, decoded piece by piece, and leave a short name.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from bot.platforms.api.errors import ApiRefusal

MAX_BYTES: Final = 50_000_000
"""Of a whole body, as OpenAI's."""
MAX_TEXT_BYTES: Final = 2_000_000
"""Of a body without its long pictures."""
BODY_S: Final = 60
"""From a body's first byte to its last."""
LONG: Final = 10_000
"""Characters from which on a picture is taken out."""
_BASE64: Final = b";base64,"
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON, and the pictures that were taken out of it."""

    json: dict[str, Any] = field(repr=False)
    pictures: dict[str, bytes] = field(repr=False)
    """By what stands in the place of their base64."""
    mark: str = ""
    """How these places begin; nobody can know it before."""


async def read_body(request: web.Request) -> Body:
    """Read and parse a request's body, off the loop. Raises: ApiRefusal."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ApiRefusal(415, "api_encoding")
    if (request.content_length or 0) > MAX_BYTES:
        raise ApiRefusal(413, "http_too_large", limit_bytes=MAX_BYTES)
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise ApiRefusal(413, "http_too_large", limit_bytes=MAX_BYTES)
    except TimeoutError:
        raise ApiRefusal(408, "http_too_slow") from None
    return await asyncio.to_thread(parse_body, bytes(data))


def parse_body(data: bytes) -> Body:
    """Parse a body. Raises: ApiRefusal."""
    mark = f"picture-{secrets.token_hex(16)}-"
    text, pictures = _without_long_pictures(data, mark)
    if len(text) > MAX_TEXT_BYTES:
        raise ApiRefusal(413, "http_too_large", limit_bytes=MAX_TEXT_BYTES)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiRefusal(400, "api_no_json")
    return Body(found, pictures, mark)


def _without_long_pictures(data: bytes, mark: str) -> tuple[bytes, dict[str, bytes]]:
    pictures: dict[str, bytes] = {}
    kept: list[bytes] = []
    at = 0  # up to where `kept` holds the data
    search = 0
    while (found := data.find(_BASE64, search)) >= 0:
        begin = found + len(_BASE64)
        end = data.find(b'"', begin)
        if end < 0:
            break
        search = end
        if end - begin < LONG or data[end - 1] == ord("\\"):
            continue  # short, or a quotation mark within a longer text
        name = f"{mark}{len(pictures)}"
        pictures[name] = decode_base64(data[begin:end])
        kept += [data[at:begin], name.encode()]
        at = end
    return b"".join([*kept, data[at:]]), pictures


def decode_base64(encoded: bytes) -> bytes:
    """Decode a picture, whose JSON may be escaped. Raises: ApiRefusal."""
    try:
        if b"\\" in encoded:  # PHP writes every slash as `\/`
            encoded = json.loads(b'"' + encoded + b'"').encode("ascii")
        if not encoded.isalnum() and any(space in encoded for space in b" \t\r\n"):
            encoded = b"".join(encoded.split())
        encoded += b"=" * (-len(encoded) % 4)
        return b"".join(
            binascii.a2b_base64(encoded[at : at + _PIECE], strict_mode=True)
            for at in range(0, len(encoded), _PIECE)
        )
    except ValueError:
        raise ApiRefusal(400, "api_base64", code="invalid_image", param="messages") from None
