"""Text as it may be stored, shown and read by a model. Pure; imports nothing of ours.

What comes from outside may hold halves of characters (JSON has ``"\\ud83d"``), NUL, the codes of a
terminal, or nothing that anybody sees. What people write (emoji joined by U+200D, Japanese,
combining marks, text from right to left) passes unchanged.
"""

from __future__ import annotations

import regex

# Controls that end a line; then all others, but the tab.
LINE_ENDS = regex.compile(r"\r\n|[\r\v\f\x85]")
CONTROLS = regex.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
LINES = regex.compile(r"[\t\n\u2028\u2029]+")
SURROGATES = regex.compile(r"[\ud800-\udfff]")
UNSEEN = regex.compile(
    r"[\s\p{Default_Ignorable_Code_Point}"  # fillers, selectors, joiners, directions, U+FEFF
    r"\ufff9-\ufffb"  # interlinear annotations
    r"\u2800"  # braille without a dot
    r"\ufffd]*"  # what could not be read
)


def clean(text: str) -> str:
    """A text without unpaired surrogates (U+FFFD replaces them) and without control characters.

    ``\\n`` and ``\\t`` stay; any other line ending becomes ``\\n``.
    """
    if SURROGATES.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return CONTROLS.sub("", LINE_ENDS.sub("\n", text))


def clean_name(name: str) -> str:
    """The same on one line: for the name of a person or a file."""
    return LINES.sub(" ", clean_words(name)).strip()


def clean_words(text: str) -> str:
    """A cleaned text; empty if nothing of it can be seen."""
    cleaned = clean(text)
    return "" if is_unseen(cleaned) else cleaned


def is_unseen(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return UNSEEN.fullmatch(text) is not None
