"""The bytes of documents that came with questions."""

from __future__ import annotations

from bot.store.pictures import PictureLost, Pictures
from bot.store.uninterrupted import uninterrupted
from bot.values.documents import StoredDocument


class Documents:
    """The store's part for the pages of documents."""

    def __init__(self, kept: Pictures) -> None:
        self._kept = kept

    @uninterrupted
    async def read(self, stored: StoredDocument) -> bytes | None:
        """A document's bytes; `None`: it is gone, or was changed. Raises: StoreFailed."""
        if not stored.digest:
            return None
        try:
            return await self._kept.read(stored.file, stored.digest)
        except PictureLost:
            return None
