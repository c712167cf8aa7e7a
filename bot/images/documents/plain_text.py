"""What a text file says: its encoding found, bounded, and without what nobody sees. Pure."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath
from typing import Final

from bot.images.containers.signatures import other_kind, picture_format
from bot.images.file_names import DOCUMENT_SUFFIXES, PICTURE_SUFFIXES, TEXT_SUFFIXES
from bot.values.cleaning import clean_words

MAX_CHARS: Final = 20_000
"""Of a file: more than a model is given of it."""
_HEAD_BYTES: Final = 4 * MAX_CHARS
_NEVER_TEXT: Final = (PICTURE_SUFFIXES | DOCUMENT_SUFFIXES) - TEXT_SUFFIXES
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL: Final = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
"""In no text; others draw lines, ring bells or colour a terminal."""
_COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]{2,}")
_HALF_WIDTH: Final = re.compile(r"[\uff61-\uff9f]")


def read_text(name: str, data: bytes) -> str | None:
    """The beginning of a text file, `MAX_CHARS` at most; empty where nothing of it can be seen.

    Returns: `None`: it is none, by its name or its bytes.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _NEVER_TEXT:
        return None
    if suffix not in TEXT_SUFFIXES and (picture_format(data) or other_kind(data)):
        return None
    text = _decoded(data)
    if text is None or _CONTROL.search(text):
        return None
    return clean_words(_COLOURS.sub("", text))[:MAX_CHARS]


def _decoded(data: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _try(data, encoding)
    silent = _utf_16_without_mark(data[:_HEAD_BYTES])
    if silent:
        return _try(data, silent)
    text = _try(data, "utf-8")
    return text if text is not None else _old(data)


def _try(data: bytes, encoding: str) -> str | None:
    """A file's beginning; a character that the bound cuts is left out."""
    head = data[:_HEAD_BYTES]
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        return decoder.decode(head, final=len(data) <= len(head))
    except UnicodeDecodeError:
        return None


def _utf_16_without_mark(head: bytes) -> str:
    """Of mostly Latin letters, every other byte is zero; empty where it is not so."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) % 2 or max(even, odd) < 0.2 * len(head):
        return ""
    return "utf-16-le" if even == 0 else "utf-16-be" if odd == 0 else ""


def _old(data: bytes) -> str | None:
    """Before Unicode: Shift_JIS or EUC where that gives Japanese, else what Windows wrote.

    Read as the other one, Japanese is half-width katakana; read as Japanese, an accented letter is
    a kanji alone.
    """
    for encoding in ("cp932", "euc_jp"):
        text = _try(data, encoding)
        if text is not None:
            wide = sum(map(len, _JAPANESE.findall(text)))
            if wide > len(_HALF_WIDTH.findall(text)):
                return text
    return _try(data, "cp1252")
