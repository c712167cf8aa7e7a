"""From a message's attachments to normalised pictures, or to sentences that say why not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from bot.errors import NotAPicture, PictureRefused
from bot.images.decoding.pool import DecodingPool
from bot.images.documents.documents import Documents
from bot.images.file_names import DOCUMENT_SUFFIXES, PICTURE_SUFFIXES, short_name
from bot.images.normalise import check_size
from bot.values.documents import SentDocument
from bot.values.limits import PictureLimits
from bot.values.messages import Attachment
from bot.values.pictures import NormalisedPicture
from inference.metrics import Counter

_Result: TypeAlias = NormalisedPicture | SentDocument | PictureRefused

Open = Callable[[Attachment], AsyncIterator[bytes]]

USED = Counter("pictures", "Pictures that questions brought and that could be used.")
SKIPPED = Counter(
    "pictures_skipped",
    "Files of questions that were not used, by the key of the sentence that says why.",
    ("reason",),
)

SPARE_FILES = 8
"""This many files beyond the pictures of a question are still tried, or named in the receipt."""
FETCH_WITHIN_S = 60
"""All downloads of a question together."""
DOWNLOADS_AT_ONCE = 3
"""Of one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPictures:
    """What became of a message's attachments: each one is in one of the three."""

    pictures: tuple[NormalisedPicture, ...]
    documents: tuple[SentDocument, ...]
    refusals: tuple[PictureRefused, ...]


class _Batch:
    """One question's attachments while they are fetched."""

    def __init__(
        self, open_: Open, *, until: float, asker: Hashable, on_setback: Callable[[], None]
    ) -> None:
        """`until`: when the downloads must have ended, in the loop's time."""
        self.open = open_
        self.asker = asker
        self.on_setback = on_setback
        self.until = until
        self.downloading = asyncio.Semaphore(DOWNLOADS_AT_ONCE)
        self.decoding = asyncio.Lock()
        """One at a time: the decoders are everybody's."""

    def check_time(self) -> None:
        """Begin nothing that could not end. Raises: TimeoutError."""
        if asyncio.get_running_loop().time() >= self.until:
            raise TimeoutError


def _count_used(results: Mapping[int, _Result]) -> int:
    return sum(not isinstance(result, PictureRefused) for result in results.values())


def may_be_picture(attachment: Attachment) -> bool:
    """Whether a file's name and kind allow it to be a picture, or a document."""
    suffix = PurePosixPath(attachment.name).suffix.lower()
    known = PICTURE_SUFFIXES | DOCUMENT_SUFFIXES
    return not attachment.kind and (not suffix or suffix in known)


def latest(shown: Sequence[Sequence[Attachment]], limit: int) -> list[Attachment]:
    """The last `limit` pictures of a thread, in its order; within a message the first ones."""
    found: list[Attachment] = []
    for pictures in reversed(shown):
        found = [*pictures[: limit - len(found)], *found]
    return found


class Attachments:
    """Fetches what a pool of processes decodes. Lives as long as the bot."""

    def __init__(
        self,
        decoding: DecodingPool,
        *,
        pictures_per_question: int,
        pictures_per_thread: int = 200,
    ) -> None:
        self._decoding = decoding
        self.documents = Documents(decoding)
        self.limits: PictureLimits = decoding.limits
        self.pictures_per_question = pictures_per_question
        self.pictures_per_thread = pictures_per_thread
        self.fetch_within_s: float = FETCH_WITHIN_S

    async def fetch(
        self,
        attachments: tuple[Attachment, ...],
        open_: Open,
        *,
        num_in_thread: int = 0,
        asker: Hashable = None,
        on_setback: Callable[[], None] = lambda: None,
    ) -> FetchedPictures:
        """Fetch a message's attachments: pictures are normalised, documents opened.

        Refuses; never raises for one.

        The first that can be used are, and no more are fetched than are needed. A message that
        names hundreds of files costs a few attempts, and one sentence for the rest. The same file
        is fetched once.

        `asker`: people's pictures are decoded in turn. `on_setback`: called when one has crashed
        its decoder or reached its limit.
        """
        attachments = tuple(dict.fromkeys(attachments))
        tried = attachments[: self.pictures_per_question + SPARE_FILES]
        until = asyncio.get_running_loop().time() + self.fetch_within_s
        batch = _Batch(open_, until=until, asker=asker, on_setback=on_setback)
        results: dict[int, _Result] = {}
        waiting = deque(enumerate(tried))
        room = max(0, self.pictures_per_thread - num_in_thread)
        limit = min(self.pictures_per_question, room)
        while waiting:
            wanted = limit - _count_used(results)
            if not wanted:
                results |= {
                    index: self._one_too_many(file, is_thread_full=limit == room)
                    for index, file in waiting
                }
                break
            now = [waiting.popleft() for _ in range(min(wanted, len(waiting)))]
            fetched = await asyncio.gather(*(self._try_one(file, batch) for _, file in now))
            results |= zip((index for index, _ in now), fetched, strict=True)
        in_order = [results[index] for index in range(len(tried))]
        refusals = [result for result in in_order if isinstance(result, PictureRefused)]
        if surplus := len(attachments) - len(tried):
            refusals.append(PictureRefused("files_not_tried", count=surplus, limit=len(tried)))
        pictures = [found for found in in_order if isinstance(found, NormalisedPicture)]
        documents = [found for found in in_order if isinstance(found, SentDocument)]
        USED.add(by=len(pictures))
        for refusal in refusals:
            SKIPPED.add(refusal.key)
        return FetchedPictures(
            pictures=tuple(pictures), documents=tuple(documents), refusals=tuple(refusals)
        )

    async def _try_one(self, attachment: Attachment, batch: _Batch) -> _Result:
        try:
            return await self._fetch_one(attachment, batch)
        except PictureRefused as refusal:
            return refusal

    def _one_too_many(self, attachment: Attachment, *, is_thread_full: bool) -> PictureRefused:
        if attachment.kind:
            return NotAPicture(attachment.kind, name=short_name(attachment.name))
        if is_thread_full:
            name, limit = short_name(attachment.name), self.pictures_per_thread
            return PictureRefused("thread_full", name=name, limit=limit)
        return PictureRefused(
            "pictures_too_many",
            name=short_name(attachment.name),
            limit=self.pictures_per_question,
        )

    async def _fetch_one(
        self, attachment: Attachment, batch: _Batch
    ) -> NormalisedPicture | SentDocument:
        if attachment.kind:
            raise NotAPicture(attachment.kind, name=short_name(attachment.name))
        if attachment.size_bytes is not None:
            check_size(attachment.name, attachment.size_bytes, self.limits)
        try:
            batch.check_time()
            async with batch.downloading, asyncio.timeout_at(batch.until):
                data = await self._read(attachment, batch.open)
        except TimeoutError:
            raise PictureRefused(
                "picture_too_slow", name=short_name(attachment.name), seconds=self.fetch_within_s
            ) from None
        except OSError:
            raise PictureRefused("picture_unreachable", name=short_name(attachment.name)) from None
        async with batch.decoding:
            name, asker, on_setback = attachment.name, batch.asker, batch.on_setback
            opened = await self.documents.open(name, data, asker=asker, on_setback=on_setback)
            if opened is not None:
                return opened
            return await self._decoding.decode(name, data, asker=asker, on_setback=on_setback)

    async def _read(self, attachment: Attachment, open_: Open) -> bytes:
        """Read an attachment up to the limit, ignoring its announced size."""
        data = bytearray()
        async for piece in open_(attachment):
            data += piece
            check_size(attachment.name, max(1, len(data)), self.limits)
        return bytes(data)
