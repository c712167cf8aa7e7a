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
SUFFIXES = tuple(PICTURE_SUFFIXES)
LONGEST_SUFFIX = max(map(len, SUFFIXES))
NAME_GOES_ON = re.compile(
    r"(?:(?:（\w*）|［\w*］|【\w*】|\*\*|~~)[\w.%/-]*)+"
    rf"(?:{'|'.join(map(re.escape, PICTURE_SUFFIXES))})(?![a-z0-9])",
    re.IGNORECASE,
)
"""A picture's name may hold what else ends an address: ``…/画像（1）.png``, ``…/a**b.png``."""
FIRST_WITHOUT_SPACES = "\u0e00"
"""Thai. From here on most scripts put no space before the next word."""


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
        end = _end(text, start)
        address = text[start.start() : end].rstrip(TRAILING)
        if len(address) > len(start[0]):
            yield address


def _end(text: str, start: re.Match[str]) -> int:
    """Where the address that begins with `start` ends."""
    opened: list[str] = []
    parameter: int | None = None  # where the query's current parameter, or the fragment, begins
    name_until = at = start.end()
    while at < len(text):
        sign = text[at]
        if (name := NAME_GOES_ON.match(text, at)) and not _closes(text, start.start(), at):
            name_until = name.end()
        if sign in NEVER_INSIDE or (at >= name_until and _is_mark(text, at)):
            return at
        if not sign.isascii() and _words_begin(text, start.end(), parameter, at):
            return at
        if START.match(text, at) and not text[at - 1].isascii():
            return at  # the next address
        if sign in "?#" or (sign == "&" and parameter is not None):
            parameter = at + 1
        elif sign in OPENED_BY.values():
            opened.append(sign)
        elif sign in OPENED_BY and (not opened or opened.pop() != OPENED_BY[sign]):
            return at
        at += 1
    return len(text)


def _is_mark(text: str, at: int) -> bool:
    return text.startswith(PAIRED_MARKS, at) or not _may_be_inside(text[at])


def _closes(text: str, start: int, at: int) -> bool:
    """Whether Markdown's mark at `at` ends what the same mark began before the address."""
    mark = text[at : at + 2]
    return mark in PAIRED_MARKS and text.count(mark, 0, start) % 2 == 1


def _words_begin(text: str, begin: int, parameter: int | None, at: int) -> bool:
    """Whether the sign at `at`, not ASCII, begins the words behind an address.

    Japanese goes on without a space: ``…/cat.pngを見て``, ``…/cat.png?w=60を見て``. In a path such
    a sign may be part of a name, and a parameter's value may begin with one.
    """
    if text[max(begin, at - LONGEST_SUFFIX) : at].lower().endswith(SUFFIXES):
        return True
    sign = text[at]
    if parameter is None or sign < FIRST_WITHOUT_SPACES or "LATIN" in unicodedata.name(sign, ""):
        return False
    written = text[parameter:at]
    if not written or written.endswith(("+", "/")) or not written.isascii():
        return False
    return not (written.endswith("=") and written.count("=") == 1)


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
