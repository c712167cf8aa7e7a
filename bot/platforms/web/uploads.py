"""Uploads are kept on disk until their question is answered: a crash must not lose them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import BodyPartReader, ClientError, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.errors import UserFacingError
from bot.images.file_names import PICTURE_SUFFIXES
from bot.images.opening import MAX_ASPECT, REDUCED_FACTOR
from bot.private_files import create, make_folder
from bot.values.limits import PictureLimits
from bot.values.messages import Attachment
from inference.failures import in_one_line
from inference.safe_messages import is_disk_full

log = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
MAX_TEXT_BYTES = 100_000
MAX_AT_ONCE = 4
"""Forms that are received concurrently; further ones wait."""
IDLE_S = 30
"""A sender who is silent for this long is gone."""
SPARE_FILES = 8
"""This many files beyond the limit are still named in the receipt."""


# A malformed form, or a sender who has hung up: not our failure.
_BROKEN = (
    HttpProcessingError,
    ClientError,
    ConnectionError,
    TimeoutError,
    ValueError,
    AssertionError,
)

T = TypeVar("T")


async def _in_time(reading: Coroutine[Any, Any, T]) -> T:
    """Do not wait forever for a silent sender. Raises: TimeoutError."""
    async with asyncio.timeout(IDLE_S):
        return await reading


class BadUpload(Exception):
    """Not the expected form; `key` and `values` make the sentence."""

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A posted question."""

    text: str
    attachments: tuple[Attachment, ...]


class Uploads:
    """A folder of uploads, one subfolder per message."""

    def __init__(self, folder: Path, limits: PictureLimits, *, max_files: int) -> None:
        self._folder = folder
        self._limits = limits
        self._max_file_bytes = limits.max_bytes
        self._max_files = max_files
        self._receiving = asyncio.Semaphore(MAX_AT_ONCE)

    @property
    def max_total_bytes(self) -> int:
        """The limit of one form."""
        return self._max_file_bytes * self._max_files + MAX_TEXT_BYTES

    def limits_json(self) -> dict[str, Any]:
        """The limits, for pages that check files before they send them."""
        megapixels = self._limits.max_pixels / 1e6
        return {
            "pictures_per_question": self._max_files,
            "upload_mb": self.max_total_bytes / 1e6,
            "file_mb": self._max_file_bytes / 1e6,
            "megapixels": megapixels,
            "jpeg_megapixels": megapixels * REDUCED_FACTOR,
            "aspect": MAX_ASPECT,
            "types": sorted(PICTURE_SUFFIXES),
        }

    async def receive(self, request: web.Request, message_id: str) -> Form:
        """Read a form of ``text`` and ``images`` to disk. Raises: BadUpload."""
        if not request.content_type.startswith("multipart/"):
            raise BadUpload(400, "http_bad_request")
        try:
            async with self._receiving:
                return await self._read_form(await request.multipart(), message_id)
        except BaseException as exc:
            await self.discard(message_id)
            if isinstance(exc, _BROKEN):
                raise BadUpload(400, "http_bad_request") from None
            if isinstance(exc, OSError):  # ours: a full disk, for example
                log.error("an upload could not be written: %s", in_one_line(exc))
                full = is_disk_full(exc)
                raise UserFacingError("disk_full" if full else "store_failed") from None
            raise

    async def discard(self, message_id: str) -> None:
        """Remove a message's files."""
        await asyncio.to_thread(shutil.rmtree, self._folder / message_id, ignore_errors=True)

    async def keep_only(self, message_ids: set[str]) -> None:
        """Remove what an earlier run left behind."""
        if await asyncio.to_thread(self._folder.is_dir):
            for folder in await asyncio.to_thread(lambda: list(self._folder.iterdir())):
                if folder.name not in message_ids:
                    await self.discard(folder.name)

    async def _read_form(self, form: MultipartReader, message_id: str) -> Form:
        text = ""
        attachments: list[Attachment] = []
        total = files = 0
        while (part := await _in_time(form.next())) is not None:
            if not isinstance(part, BodyPartReader):
                raise BadUpload(400, "http_bad_request")
            if part.name == "text":
                data = bytearray()
                while piece := await _in_time(part.read_chunk(CHUNK_BYTES)):
                    data += piece
                    if len(data) > MAX_TEXT_BYTES:
                        raise BadUpload(413, "http_too_large", limit_bytes=MAX_TEXT_BYTES)
                text = data.decode("utf-8", "replace")
            elif part.name == "images":
                files += 1
                if files > self._max_files + SPARE_FILES:
                    raise BadUpload(400, "http_too_many", limit=self._max_files)
                path = self._folder / message_id / str(len(attachments))
                size = await self._save(part, path)
                total += size
                if total > self.max_total_bytes:
                    raise BadUpload(413, "http_too_large", limit_bytes=self.max_total_bytes)
                if not size and not part.filename:
                    continue  # a browser's form in which no file was chosen
                attachments.append(
                    Attachment(name=part.filename or "picture", ref=str(path), size_bytes=size)
                )
        return Form(text=text, attachments=tuple(attachments))

    async def _save(self, part: BodyPartReader, path: Path) -> int:
        """Write a file up to the limit; beyond it only count. Returns: its size in bytes."""
        await asyncio.to_thread(make_folder, path.parent)
        size = 0
        with await asyncio.to_thread(create, path) as file:
            while piece := await _in_time(part.read_chunk(CHUNK_BYTES)):
                size += len(piece)
                if size > self.max_total_bytes:
                    raise BadUpload(413, "http_too_large", limit_bytes=self.max_total_bytes)
                if size <= self._max_file_bytes:
                    await asyncio.to_thread(file.write, piece)
        return size
