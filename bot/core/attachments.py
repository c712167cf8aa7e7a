"""From a message's attachments to normalised pictures, or to sentences that say why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.errors import NotAPicture, PictureRefused
from bot.images.file_names import PICTURE_SUFFIXES, short_name
from bot.images.normalise import check_size, normalise
from bot.values.limits import PictureLimits
from bot.values.messages import Attachment
from bot.values.pictures import NormalisedPicture

Open = Callable[[Attachment], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPictures:
    """What became of a message's attachments: each one is in one of the two."""

    pictures: tuple[NormalisedPicture, ...]
    refusals: tuple[PictureRefused, ...]


def may_be_picture(attachment: Attachment) -> bool:
    """Whether a file's name and kind allow it to be a picture."""
    suffix = PurePosixPath(attachment.name).suffix.lower()
    return not attachment.kind and (not suffix or suffix in PICTURE_SUFFIXES)


def latest(shown: Sequence[Sequence[Attachment]], limit: int) -> list[Attachment]:
    """The last `limit` pictures of a thread, in its order; within a message the first ones."""
    found: list[Attachment] = []
    for pictures in reversed(shown):
        found = [*pictures[: limit - len(found)], *found]
    return found


class Attachments:
    """Fetches and normalises, a bounded number at a time. Lives as long as the bot."""

    def __init__(
        self, limits: PictureLimits, *, pictures_per_question: int, workers: int = 2
    ) -> None:
        self._limits = limits
        self._pictures_per_question = pictures_per_question
        # Own threads: decoding must not block the loop's other helpers, and their number bounds
        # the memory that decoding takes.
        self._decoders = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    async def fetch(self, attachments: tuple[Attachment, ...], open_: Open) -> FetchedPictures:
        """Fetch and normalise all attachments of a message. Refuses; never raises for one."""
        pictures: list[NormalisedPicture] = []
        refusals: list[PictureRefused] = []
        for attachment in attachments:
            if len(pictures) == self._pictures_per_question and not attachment.kind:
                refusals.append(self._one_too_many(attachment))
                continue
            try:
                pictures.append(await self._fetch_one(attachment, open_))
            except PictureRefused as refusal:
                refusals.append(refusal)
        return FetchedPictures(pictures=tuple(pictures), refusals=tuple(refusals))

    def _one_too_many(self, attachment: Attachment) -> PictureRefused:
        return PictureRefused(
            "pictures_too_many",
            name=short_name(attachment.name),
            limit=self._pictures_per_question,
        )

    async def _fetch_one(self, attachment: Attachment, open_: Open) -> NormalisedPicture:
        if attachment.kind:
            raise NotAPicture(attachment.kind, name=short_name(attachment.name))
        if attachment.size_bytes is not None:
            check_size(attachment.name, attachment.size_bytes, self._limits)
        try:
            data = await self._read(attachment, open_)
        except OSError:
            raise PictureRefused("picture_unreachable", name=short_name(attachment.name)) from None
        return await asyncio.get_running_loop().run_in_executor(
            self._decoders, normalise, attachment.name, data, self._limits
        )

    async def _read(self, attachment: Attachment, open_: Open) -> bytes:
        """Read an attachment up to the limit, ignoring its announced size."""
        data = bytearray()
        async for piece in open_(attachment):
            data += piece
            check_size(attachment.name, max(1, len(data)), self._limits)
        return bytes(data)

    def close(self) -> None:
        """Stop the decoder threads."""
        self._decoders.shutdown(wait=False, cancel_futures=True)
