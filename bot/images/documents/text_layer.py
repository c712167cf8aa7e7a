"""The text that a file itself says stands on its page. Pure."""

from __future__ import annotations

import re
from typing import Final

MAX_PAGE_CHARS: Final = 8000
"""Of one page."""
_WORTH_CHARS: Final = 8
_WORTH_SHARE: Final = 0.5
_BROKEN_WORD: Final = re.compile(r"[\u00ad\ufffe\x02]\s*")
"""How pdfium marks a hyphen at a line's end: the word goes on."""


def tidy(text: str) -> str:
    """Lines without empty ones and without spaces around them; broken words put together."""
    joined = _BROKEN_WORD.sub("", text)
    lines = (" ".join(line.split()) for line in joined.replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line)


def is_worth(text: str, least: int = _WORTH_CHARS) -> bool:
    """Whether it is text: enough letters and digits, and not mostly signs without a meaning.

    Some files draw letters whose codes stand for nothing: what is seen must be read then.
    """
    signs = [sign for sign in text if not sign.isspace()]
    readable = sum(sign.isalnum() for sign in signs)
    return readable >= least and readable >= _WORTH_SHARE * len(signs)
