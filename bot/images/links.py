"""The web addresses in a message, whatever surrounds them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from yarl import URL

from bot.images.file_names import PICTURE_SUFFIXES

START = re.compile(r"https?://", re.IGNORECASE)
NEVER_INSIDE = frozenset('<>"`|\\^{}')
"""RFC 3986 allows none of these; chats write markup with them."""
PAIRED_MARKS = ("**", "~~")
"""Markdown's: hardly any address has them, and they end what they began."""
TRAILING = ".,:;!?'*_~&"
OPENED_BY = {")": "(", "]": "["}
SUFFIX_THEN_WORDS = re.compile(
    rf"(?:{'|'.join(map(re.escape, sorted(PICTURE_SUFFIXES, reverse=True)))})(?=[^\x00-\x7f])",
    re.IGNORECASE,
)
"""Japanese goes on without a space: ``…/cat.pngを見て``."""


def links_in(text: str) -> tuple[str, ...]:
    """Every web address in a text, each once, in its order.

    An address ends before white space, before the punctuation of any script, before markup
    (chat platforms', Markdown's), and before a bracket that it did not open itself. Letters of
    any script belong to it, as hosts and paths may have them.
    """
    return tuple(dict.fromkeys(_all_links(text)))


def _all_links(text: str) -> Iterator[str]:
    end = 0
    while (start := START.search(text, end)) is not None:
        end = _end(text, start.end())
        address = text[start.start() : end].rstrip(TRAILING)
        cut = SUFFIX_THEN_WORDS.search(address)
        if cut is not None:
            address = address[: cut.end()]
        if len(address) > len(start[0]):
            yield address


def _end(text: str, begin: int) -> int:
    """Where the address that began before `begin` ends."""
    opened: list[str] = []
    for at in range(begin, len(text)):
        sign = text[at]
        if sign in NEVER_INSIDE or text.startswith(PAIRED_MARKS, at) or not _may_be_inside(sign):
            return at
        if sign in OPENED_BY.values():
            opened.append(sign)
        elif sign in OPENED_BY and (not opened or opened.pop() != OPENED_BY[sign]):
            return at
    return len(text)


def _may_be_inside(sign: str) -> bool:
    """Printable ASCII, and letters, marks and digits of any script."""
    if sign.isascii():
        return sign.isprintable() and sign != " "
    return unicodedata.category(sign)[0] in "LMN"


def names_a_picture(address: str) -> bool:
    """Whether an address ends in the name of a picture file."""
    try:
        return PurePosixPath(URL(address).path).suffix.lower() in PICTURE_SUFFIXES
    except ValueError:
        return False


def file_name(address: str) -> str:
    """The name that an address ends in, else the address."""
    try:
        return PurePosixPath(URL(address).path).name or address
    except ValueError:
        return address
