"""Documents in the decoding processes: how many pages they have, and single pages as pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from functools import partial

from bot.errors import PictureRefused
from bot.images.containers.parts import TooManyParts
from bot.images.decoding.limits import Task
from bot.images.decoding.pool import DecodingPool
from bot.images.documents.kinds import document_suffix
from bot.images.documents.plain_text import read_text
from bot.images.documents.results import page_in, survey_in
from bot.images.file_names import MAX_NAME_LENGTH, short_name
from bot.values.documents import DocumentSuffix, PageOf, SentDocument
from bot.values.pictures import NormalisedPicture


class Documents:
    """Opens documents. Keeps nothing of them."""

    def __init__(self, decoding: DecodingPool) -> None:
        self._decoding = decoding

    async def open(
        self,
        name: str,
        data: bytes,
        *,
        asker: Hashable = None,
        on_setback: Callable[[], None] = lambda: None,
    ) -> SentDocument | None:
        """Look into a file. Returns: `None`: it is no document.

        See `DecodingPool.decode`.

        Raises: PictureRefused.
        """
        suffix = _suffix_of(name, data)
        if suffix is None:
            return _plain_text(name, data)
        name = short_name(name)
        num_pages, texts = await self._decoding.work_on(
            name,
            data,
            Task(kind="survey"),
            partial(survey_in, name),
            asker=asker,
            on_setback=on_setback,
        )
        return SentDocument(
            name=name,
            digest=hashlib.sha256(data).hexdigest(),
            data=data,
            suffix=suffix,
            num_pages=num_pages,
            texts=texts,
        )

    async def page(
        self,
        document: SentDocument,
        number: int,
        *,
        asker: Hashable = None,
        on_setback: Callable[[], None] = lambda: None,
    ) -> NormalisedPicture:
        """One page as a picture; `number` from 1.

        Raises: PictureRefused.
        """
        name = page_name(document.name, number)
        read = partial(
            page_in,
            name,
            PageOf(document=document.digest, number=number),
            max_side_px=self._decoding.limits.max_side_px,
        )
        task = Task(kind="page", page=number)
        return await self._decoding.work_on(
            name, document.data, task, read, asker=asker, on_setback=on_setback
        )


def page_name(document: str, number: int) -> str:
    """How a page is called, in every language."""
    where = f" (p. {number})"
    whole = document if len(document) + len(where) <= MAX_NAME_LENGTH else document[:40] + "…"
    return whole + where


def _suffix_of(name: str, data: bytes) -> DocumentSuffix | None:
    """Raises: PictureRefused: it has too many pages."""
    try:
        return document_suffix(data)
    except TooManyParts as exc:
        limit = exc.limit
        raise PictureRefused("picture_too_many_parts", name=short_name(name), limit=limit) from None


def _plain_text(name: str, data: bytes) -> SentDocument | None:
    """Raises: PictureRefused: nothing of it can be seen."""
    text = read_text(name, data)
    if text is None:
        return None
    name, kept = short_name(name), text.encode()
    if not kept:
        raise PictureRefused("picture_empty", name=name)
    return SentDocument(
        name=name, digest=hashlib.sha256(kept).hexdigest(), data=kept, suffix="txt", texts=(text,)
    )
