"""Text as a search compares it."""

from __future__ import annotations

import unicodedata
from typing import Any


def folded(text: str | None) -> str:
    """A text without case, and with full width like half width."""
    if text is None:
        return ""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def add_folding(connection: Any, _record: Any) -> None:
    """Make it a function of a new SQLite connection."""
    connection.create_function("folded", 1, folded, deterministic=True)
