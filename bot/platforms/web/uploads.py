"""Uploads are kept on disk until their question is answered: a crash must not lose them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.errors import UserFacingError
from bot.images.file_names import DOCUMENT_SUFFIXES, PICTURE_SUFFIXES, TEXT_SUFFIXES
from bot.images.opening import MAX_ASPECT, REDUCED_FACTOR
from bot.platforms.web.gate.forms import BoundedForm
from bot.platforms.web.gate.places import AllTaken, Places
from bot.platforms.web.guard import HttpRefusal
from bot.private_files import create, make_folder
from bot.values.limits import PictureLimits
from bot.values.messages import Attachment
from inference.failures import in_one_line
from inference.safe_messages import is_disk_full

log = logging.getLogger(__name__)

MAX_TEXT_BYTES = 100_000
SPARE_FILES = 8
"""This many files beyond the limit are still named in the receipt."""
OTHER_PARTS = 8
"""This many parts may be no files: the text, and fields that nobody knows."""


# A malformed form, or a sender who has hung up: not our failure.
_BROKEN = (
    HttpProcessingError,
    ClientError,
    ConnectionError,
    TypeError,
    ValueError,
    AssertionError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A posted question."""

    text: str = field(repr=False)
    attachments: tuple[Attachment, ...]


class Uploads:
    """A folder of uploads, one subfolder per message."""

    def __init__(self, folder: Path, limits: PictureLimits, *, max_files: int) -> None:
        self._folder = folder
        self._limits = limits
        self._max_file_bytes = limits.max_bytes
        self._max_files = max_files
        self._places = Places()

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
            "types": sorted(PICTURE_SUFFIXES | DOCUMENT_SUFFIXES),
            "text_types": sorted(TEXT_SUFFIXES),
        }

    async def receive(
        self, request: web.Request, message_id: str, *, sender: str, person: str
    ) -> Form:
        """Read a form of ``text`` and ``images`` to disk.

        `sender` and `person`: who takes a place for it, if it has files.

        Raises:
            HttpRefusal: it is no such form, or exceeds a bound.
            UserFacingError: it cannot be kept.
        """
        if not request.content_type.startswith("multipart/"):
            raise HttpRefusal(400, "http_bad_request")
        try:
            form = BoundedForm(
                request,
                max_bytes=self.max_total_bytes,
                max_parts=self._max_files + SPARE_FILES + OTHER_PARTS,
            )
            async with AsyncExitStack() as place:

                async def begin_files() -> None:
                    async with form.pause():
                        await place.enter_async_context(self._places.taken(sender, person))

                return await self._read(form, message_id, begin_files)
        except BaseException as exc:
            await self.discard(message_id)
            if isinstance(exc, AllTaken):
                raise HttpRefusal(503, "http_uploads_busy") from None
            if isinstance(exc, _BROKEN):
                raise HttpRefusal(400, "http_bad_request") from None
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

    async def _read(
        self, form: BoundedForm, message_id: str, begin_files: Callable[[], Awaitable[None]]
    ) -> Form:
        text = ""
        attachments: list[Attachment] = []
        files = 0
        while (part := await form.next_part()) is not None:
            if part.name != "images":
                data = await form.read_short(part, max_bytes=MAX_TEXT_BYTES)
                if part.name == "text":
                    text = data.decode("utf-8", "replace")
                continue
            files += 1
            if files > self._max_files + SPARE_FILES:
                raise HttpRefusal(400, "http_too_many", limit=self._max_files)
            if files == 1:
                await begin_files()
            path = self._folder / message_id / str(len(attachments))
            size = await self._save(form, part, path)
            if not size and not part.filename:
                continue  # a browser's form in which no file was chosen
            attachments.append(
                Attachment(name=part.filename or "picture", ref=str(path), size_bytes=size)
            )
        return Form(text=text, attachments=tuple(attachments))

    async def _save(self, form: BoundedForm, part: BodyPartReader, path: Path) -> int:
        """Write a file up to the limit; beyond it only count. Returns: its size in bytes."""
        await asyncio.to_thread(make_folder, path.parent)
        size = 0
        with await asyncio.to_thread(create, path) as file:
            while piece := await form.read(part):
                size += len(piece)
                if size <= self._max_file_bytes:
                    await asyncio.to_thread(file.write, piece)
        return size
