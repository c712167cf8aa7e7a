"""A decoding process's side of documents: a look at the whole, or one page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bot.errors import PictureRefused
from bot.images.containers.tiff_pages import alone, pages_of
from bot.images.decoding.limits import DecodingLimits
from bot.images.decoding.results import result_of_picture
from bot.images.documents import pdf
from bot.images.documents.kinds import document_suffix
from bot.images.normalise import encode, normalise

MAX_HEADER_TEXT_BYTES = 40_000
"""Of a page's text, as it is written into a header."""
DENSE_BYTES = 1_500_000
"""A page whose PNG is larger shows photos: as a JPEG it looks the same."""


def prepare() -> None:
    """Load what documents need."""
    pdf.prepare()


def survey(data: bytes, limits: DecodingLimits) -> tuple[dict[str, Any], bytes]:
    """Header: how many pages. Payload: in JSON, the text of the first ones.

    Raises: PictureRefused.
    """
    with _refusing():
        texts: list[str] = []
        if document_suffix(data) == "tif":
            num_pages = len(pages_of(data))
        else:
            num_pages, texts = pdf.survey(data, limits.pictures)
    return {"pages": num_pages}, json.dumps(texts, ensure_ascii=False).encode(errors="replace")


def page(data: bytes, limits: DecodingLimits) -> tuple[dict[str, Any], bytes]:
    """Header: a page's text, and what was done to it. Payload: its picture.

    Raises: PictureRefused.
    """
    with _refusing():
        if document_suffix(data) == "tif":
            return _page_of_tiff(data, limits)
        image, text = pdf.render(data, limits.task.page, limits.pictures)
        picture = encode(image, lossy=False)
        if len(picture.data) > DENSE_BYTES:
            picture = encode(image, lossy=True)
    return {"notes": [], "text": _for_header(text)}, picture.data


def _page_of_tiff(data: bytes, limits: DecodingLimits) -> tuple[dict[str, Any], bytes]:
    starts = pages_of(data)
    picture = normalise("", alone(data, starts[limits.task.page - 1]), limits.pictures)
    header, payload = result_of_picture(picture)
    return header | {"text": ""}, payload


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever a broken file makes its reader raise is a refusal."""
    try:
        yield
    except (PictureRefused, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - readers raise anything at all on damaged files
        raise PictureRefused("picture_damaged", name="") from None


def _for_header(text: str) -> str:
    while len(json.dumps(text)) > MAX_HEADER_TEXT_BYTES:
        text = text[: len(text) * 3 // 4]
    return text
