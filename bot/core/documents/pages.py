"""From a question and the documents of its thread to the pages that it is about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.errors import PictureRefused
from bot.images.documents.choosing import ChosenPages, choose_pages, documents_meant
from bot.images.documents.documents import Documents
from bot.store import Store, Turn
from bot.values.documents import SentDocument, StoredDocument
from bot.values.pictures import NormalisedPicture

MAX_FAILED_PAGES: Final = 2
"""Of one document: it is left alone then, since each may have taken all its time."""


@dataclass(kw_only=True, slots=True)
class PagesFound:
    """What became of the pages that a question is about."""

    pictures: list[NormalisedPicture] = field(default_factory=list)
    """Pages that the thread has not shown yet."""
    shown: list[int] = field(default_factory=list)
    """Numbers of the pictures that show the other ones."""
    refusals: list[PictureRefused] = field(default_factory=list)


class DocumentPages:
    """Chooses pages and has them drawn. Lives as long as the bot."""

    def __init__(self, store: Store, documents: Documents) -> None:
        self._store = store
        self._documents = documents

    async def find(
        self,
        question: str,
        sent: Sequence[SentDocument],
        earlier: Sequence[Turn],
        *,
        limit: int,
        asker: Hashable,
        on_setback: Callable[[], None],
    ) -> PagesFound:
        """The pages that a question is about, drawn where the thread does not show them yet.

        A question is about the documents whose names it says; else about those sent with it; else
        about the thread's latest one. Of an earlier document it is about further pages only where
        it says so.

        Args:
            sent: documents that came with it.
            earlier: the thread's other turns.
            limit: most pages; each document that was sent has one at least.

        Raises: StoreFailed.
        """
        search = _Search(self._store, self._documents, question, asker, on_setback)
        stored = [it for turn in earlier for it in turn.documents if it.num_pages]
        paged = [document for document in sent if document.num_pages]
        known: list[SentDocument | StoredDocument] = [*paged, *stored]
        meant = documents_meant(question, known) or paged or stored[-1:]
        shown = _pages_shown(earlier)
        for index, document in enumerate(meant):
            room = limit - len(search.found.pictures) - len(search.found.shown)
            share = -(-room // (len(meant) - index))
            if isinstance(document, SentDocument):
                await search.in_sent(document, max(1, share))
            elif share > 0:
                await search.in_stored(document, shown.get(document.id, {}), share)
        return search.found


def _pages_shown(turns: Sequence[Turn]) -> dict[int, dict[int, int]]:
    """Of each document by its id: page → number of the picture that shows it."""
    shown: dict[int, dict[int, int]] = {}
    for turn in turns:
        for picture in turn.pictures:
            if picture.page is not None:
                shown.setdefault(picture.page.document, {})[picture.page.number] = picture.number
    return shown


class _Search:
    """One question's."""

    def __init__(
        self,
        store: Store,
        documents: Documents,
        question: str,
        asker: Hashable,
        on_setback: Callable[[], None],
    ) -> None:
        self._store = store
        self._documents = documents
        self._question = question
        self._asker = asker
        self._on_setback = on_setback
        self.found = PagesFound()

    async def in_sent(self, document: SentDocument, limit: int) -> None:
        """Draw its pages."""
        chosen = await self._choose(document, document.texts, limit)
        await self._draw(document, chosen.pages)

    async def in_stored(self, stored: StoredDocument, shown: dict[int, int], limit: int) -> None:
        """Find its pages among those shown, and draw the others. `shown`: page → picture."""
        chosen = await self._choose(stored, (), limit)
        document: SentDocument | None = None
        if chosen.is_default:  # it names none: its words may stand somewhere
            document = await self._load(stored)
            if document is not None:
                texts = await self._texts_of(document)
                chosen = await self._choose(document, texts, limit)
        if chosen.is_default and shown:
            return
        self.found.shown += [shown[page] for page in chosen.pages if page in shown]
        new = [page for page in chosen.pages if page not in shown]
        if not new:
            return
        document = document or await self._load(stored)
        if document is None:
            self.found.refusals.append(PictureRefused("document_gone", name=stored.name))
        else:
            await self._draw(document, new)

    async def _choose(
        self, document: SentDocument | StoredDocument, texts: Sequence[str], limit: int
    ) -> ChosenPages:
        name, count = document.name, document.num_pages
        # In a thread: a document of many pages has millions of letters.
        chosen = await asyncio.to_thread(
            choose_pages, self._question, count, texts, limit=limit, name=name
        )
        if chosen.missing:
            refusal = PictureRefused(
                "page_missing", name=name, count=count, page=", ".join(map(str, chosen.missing))
            )
            self.found.refusals.append(refusal)
        return chosen

    async def _load(self, stored: StoredDocument) -> SentDocument | None:
        data = await self._store.documents.read(stored)
        if data is None:
            return None
        return SentDocument(
            name=stored.name,
            digest=stored.digest,
            data=data,
            suffix="tif" if stored.suffix == "tif" else "pdf",
            num_pages=stored.num_pages,
        )

    async def _texts_of(self, document: SentDocument) -> tuple[str, ...]:
        try:
            opened = await self._documents.open(
                document.name, document.data, asker=self._asker, on_setback=self._on_setback
            )
        except PictureRefused:  # it was opened before: there is no time or no room just now
            return ()
        return () if opened is None else opened.texts

    async def _draw(self, document: SentDocument, pages: Sequence[int]) -> None:
        failed = 0
        for number in pages:
            try:
                page = await self._documents.page(
                    document, number, asker=self._asker, on_setback=self._on_setback
                )
            except PictureRefused as refusal:
                self.found.refusals.append(refusal)
                failed += 1
                if failed == MAX_FAILED_PAGES:
                    return
            else:
                self.found.pictures.append(page)
