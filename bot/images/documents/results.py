"""What a decoding process says of a document, checked by the bot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from bot.images.decoding.frames import BrokenFrame
from bot.images.decoding.results import check_refusal, picture_in
from bot.images.documents.text_layer import MAX_PAGE_CHARS
from bot.values.cleaning import clean_words
from bot.values.documents import PageOf
from bot.values.pictures import NormalisedPicture

MAX_PAGES = 10_000_000


def survey_in(name: str, header: dict[str, Any], payload: bytes) -> tuple[int, tuple[str, ...]]:
    """How many pages a document has, and the text of the first ones.

    Raises: PictureRefused, BrokenFrame.
    """
    check_refusal(name, header)
    pages = header.get("pages")
    try:
        texts = json.loads(payload)
    except (ValueError, RecursionError):
        raise BrokenFrame from None
    if type(pages) is not int or not 0 < pages <= MAX_PAGES:
        raise BrokenFrame
    if not isinstance(texts, list) or len(texts) > pages:
        raise BrokenFrame
    return pages, tuple(_clean(text) for text in texts)


def page_in(
    name: str,
    page: PageOf,
    header: dict[str, Any],
    data: bytes,
    *,
    max_side_px: int,
) -> NormalisedPicture:
    """A page's picture, with its text. `name`: the page's, as it is shown.

    Raises: PictureRefused, BrokenFrame.
    """
    picture = picture_in(name, header, data, max_side_px=max_side_px)
    return replace(picture, page=replace(page, text=_clean(header.get("text"))))


def _clean(text: object) -> str:
    if not isinstance(text, str):
        raise BrokenFrame
    lines = (" ".join(clean_words(line).split()) for line in text[:MAX_PAGE_CHARS].splitlines())
    return "\n".join(line for line in lines if line)
