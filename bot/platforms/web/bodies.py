"""Small JSON bodies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from bot.platforms.web.guard import HttpRefusal

MAX_BYTES = 10_000
BODY_S = 20
"""From a body's first byte to its last."""


async def json_object(request: web.Request, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object in a request's body; an empty body is an empty object. Raises: HttpRefusal."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > max_bytes:
                    raise HttpRefusal(413, "http_too_large", limit_bytes=max_bytes)
    except TimeoutError:
        raise HttpRefusal(408, "http_too_slow") from None
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HttpRefusal(400, "http_bad")
    return found


def flag(body: dict[str, Any], name: str) -> bool:
    """A field that is true or false; false where it is missing. Raises: HttpRefusal."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise HttpRefusal(400, "http_bad")
    return value
