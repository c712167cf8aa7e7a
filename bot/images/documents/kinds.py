"""Which files are documents, by their first bytes. Pure."""

from __future__ import annotations

from bot.images.containers.signatures import picture_format
from bot.values.documents import DocumentSuffix

_HEAD_BYTES = 1024
"""Within so many, a PDF says that it is one: some have something before it."""


def document_suffix(data: bytes) -> DocumentSuffix | None:
    """What kind of document a file is; `None`: it is none."""
    if b"%PDF-" in data[:_HEAD_BYTES] and picture_format(data) is None:
        return "pdf"
    return None
