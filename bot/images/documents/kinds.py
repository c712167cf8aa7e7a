"""Which files are documents, by their bytes. Pure."""

from __future__ import annotations

from bot.images.containers.signatures import picture_format
from bot.images.containers.tiff_pages import pages_of
from bot.values.documents import DocumentSuffix

_HEAD_BYTES = 1024
"""Within so many, a PDF says that it is one: some have something before it."""


def document_suffix(data: bytes) -> DocumentSuffix | None:
    """What kind of document a file is; `None`: it is none. A TIFF of one page is a picture.

    Raises: TooManyParts: it is a TIFF with too many pages.
    """
    picture = picture_format(data)
    if picture is None:
        return "pdf" if b"%PDF-" in data[:_HEAD_BYTES] else None
    return "tif" if picture == "TIFF" and len(pages_of(data)) > 1 else None
