"""The bounds of a form: its bytes, its parts, and the time that it takes to come in.

A pause, a part or a byte renews none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web

from bot.platforms.web.guard import HttpRefusal

IDLE_S: Final = 30
"""A sender who is silent for this long is gone."""
FORM_S: Final = 300
"""From a form's first byte to its last."""
SLOW_AFTER_S: Final = 30
LEAST_BYTES_PER_S: Final = 8000
"""On average, once a form has come in for `SLOW_AFTER_S`: a slow sender has a place for nobody."""
CHUNK_BYTES: Final = 256 * 1024
FRAMING_BYTES: Final = 100_000
"""What a form may have beside its files and its text: boundaries, headers, fields nobody knows."""

T = TypeVar("T")


class BoundedForm:
    """Reads the parts of one form. Raises: HttpRefusal at a bound, from any method."""

    def __init__(self, request: web.Request, *, max_bytes: int, max_parts: int) -> None:
        """`max_bytes`: of files and text together. Raises: also as `next_part`."""
        self._max_bytes = max_bytes
        self._parts_left = max_parts
        self._began = asyncio.get_running_loop().time()
        self._deadline = self._began + FORM_S
        if (request.content_length or 0) > max_bytes + FRAMING_BYTES:
            raise self._too_large()
        self._content = request.content
        bounded = _Counted(self._content, max_bytes + FRAMING_BYTES, self._too_large())
        self._form = MultipartReader(request.headers, cast("StreamReader", bounded))

    async def next_part(self) -> BodyPartReader | None:
        """The next part, once the one before it has been read; `None`: there is none.

        Raises: TypeError, ValueError, AssertionError, aiohttp's own: the form is malformed.
        """
        part = await self._in_time(self._form.next())
        if part is None:
            return None
        if not isinstance(part, BodyPartReader):
            raise TypeError("parts within parts")
        if not self._parts_left:
            raise HttpRefusal(400, "http_too_many_parts")
        self._parts_left -= 1
        return part

    async def read(self, part: BodyPartReader) -> bytes:
        """The next bytes of a part; empty at its end."""
        return await self._in_time(part.read_chunk(CHUNK_BYTES))

    async def read_short(self, part: BodyPartReader, *, max_bytes: int) -> bytes:
        """All bytes of a part that has few."""
        data = bytearray()
        while piece := await self.read(part):
            data += piece
            if len(data) > max_bytes:
                raise HttpRefusal(413, "http_too_large", limit_bytes=max_bytes)
        return bytes(data)

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """While the sender has to wait, they are not slow."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            self._began += loop.time() - began
            self._deadline += loop.time() - began

    async def _in_time(self, reading: Coroutine[Any, Any, T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(loop.time() + IDLE_S, self._deadline)):
                read = await reading
        except TimeoutError:
            raise HttpRefusal(408, "http_too_slow") from None
        taken_s = loop.time() - self._began
        if taken_s > SLOW_AFTER_S and self._content.total_bytes < taken_s * LEAST_BYTES_PER_S:
            raise HttpRefusal(408, "http_too_slow")
        return read

    def _too_large(self) -> HttpRefusal:
        return HttpRefusal(413, "http_too_large", limit_bytes=self._max_bytes)


class _Counted:
    """What `MultipartReader` uses of a stream, up to so many bytes of it.

    Between two parts it reads on by itself, for as long as the sender likes.
    """

    def __init__(self, stream: StreamReader, max_bytes: int, refusal: HttpRefusal) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._refusal = refusal

    async def read(self, n: int = -1) -> bytes:
        read = await self._stream.read(n)
        self._check()
        return read

    async def readline(self, **options: Any) -> bytes:
        read = await self._stream.readline(**options)
        self._check()
        return read

    def at_eof(self) -> bool:
        return self._stream.at_eof()

    def unread_data(self, data: bytes) -> None:
        # aiohttp's readers of parts take back what belongs to the next one, and so must this.
        self._stream.unread_data(data)

    def _check(self) -> None:
        if self._stream.total_bytes > self._max_bytes:
            raise self._refusal
