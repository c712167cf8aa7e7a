"""Text as a search compares it, in Python and in both databases."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

FOLDED_ON_POSTGRESQL: Final = """
DO $do$
DECLARE
    chosen text := '"C"';
BEGIN
    -- lower() knows the case of all letters by this collation, whatever the database's own is.
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        chosen := '"und-x-icu"';
    ELSIF EXISTS (SELECT FROM pg_collation WHERE collname = 'C.UTF-8') THEN
        chosen := '"C.UTF-8"';
    END IF;
    EXECUTE format($create$
        CREATE OR REPLACE FUNCTION folded(given text) RETURNS text
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $folded$
            SELECT coalesce(
                replace(
                    translate(lower(normalize(given, NFKC) COLLATE %s), 'ς', 'σ'), 'ß', 'ss'
                ),
                ''
            )
        $folded$
    $create$, chosen);
END
$do$
"""
"""The same as `folded`, for the letters that people write; Python knows some rare ones more."""


def folded(text: str | None) -> str:
    """A text without case, and with full width like half width."""
    if text is None:
        return ""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def add_folding(connection: Any, _record: Any) -> None:
    """Make it a function of a new SQLite connection."""
    connection.create_function("folded", 1, folded, deterministic=True)
