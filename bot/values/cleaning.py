"""Text as it may be stored, shown and read by a model. Pure; imports nothing of ours.

What comes from outside may hold halves of characters (JSON has ``"\\ud83d"``), NUL, the codes of a
terminal, nothing that anybody sees, words that only a model reads (in tags, in variation
selectors), or signs that turn the order of what stands around them (``photo\\u202egnp.exe``). What
people write (emoji joined by U+200D, Japanese, combining marks, text from right to left) passes.

Whether a character stays depends on those before it alone: a text may be cleaned as it grows.
"""

from __future__ import annotations

import re

import regex

# Controls that end a line; then all others, but the tab.
LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x85]")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
LINES = re.compile(r"[\t\n\u2028\u2029]+")
SURROGATES = re.compile(r"[\ud800-\udfff]")
ALWAYS_HIDDEN = re.compile(
    "["
    # Directions: embedded, overridden or isolated. A letter has its direction without them.
    "\u202a-\u202e\u2066-\u206f"
    # Soft hyphens, joiners of words, annotations, invisible operators and notes.
    "\u00ad\u17b4\u17b5\u2060-\u2065\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"
    "]+"
)
"""What hides words or turns their order, and has no use in what people write."""
TAGS = re.compile(r"([\U000e0020-\U000e007f]{8})[\U000e0020-\U000e007f]+")
"""More tags than the flag of a region has."""
_TAG = r"[\U000e0020-\U000e007f]"
HIDDEN = regex.compile(
    r"(?V1)[\u061c\u200b-\u200f\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef](?<!"
    # The first of several marks between directions.
    r"(?:\A|[^\p{Default_Ignorable_Code_Point}])[\u061c\u200e\u200f]"
    # Joiners between letters that join, and within emoji.
    r"|(?:[\p{L}\p{M}--[\p{Latin}\p{Greek}\p{Cyrillic}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}"
    r"\p{Variation_Selector}]]|\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})[\u200c\u200d]"
    # Where a line may break, in scripts without spaces.
    r"|[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\u200b"
    # Selectors behind what they vary; those of Han, of which there are hundreds, behind Han.
    r"|[^\s\p{Default_Ignorable_Code_Point}][\ufe00-\ufe0f]"
    r"|\p{Han}[\U000e0100-\U000e01ef]"
    # Tags within the flag of a region.
    rf"|\U0001f3f4{_TAG}{{1,8}})"
)
"""The same where it does not belong to what is written: the alternatives say where it does."""
CONTEXT = 9
"""Characters before one that decide whether it stays."""
RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}\u200f\u061c]")
UNSEEN = regex.compile(
    r"[\s\p{Default_Ignorable_Code_Point}"  # fillers, selectors, joiners, directions, U+FEFF
    r"\ufff9-\ufffb"  # interlinear annotations
    r"\u2800"  # braille without a dot
    r"\ufffd]*"  # what could not be read
)


def clean(text: str) -> str:
    """A text without halves of characters, control characters, and what hides or turns words.

    U+FFFD replaces an unpaired surrogate; ``\\n`` and ``\\t`` stay, any other line ending becomes
    ``\\n``.
    """
    if SURROGATES.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = CONTROLS.sub("", LINE_ENDS.sub("\n", text))
    if text.isascii():
        return text
    return HIDDEN.sub("", TAGS.sub(r"\1", ALWAYS_HIDDEN.sub("", text)))


class StreamCleaner:
    """Cleans a text that comes in pieces. Lives as long as the text grows."""

    def __init__(self) -> None:
        self._before = ""

    def push(self, text: str) -> str:
        """Add a piece. Returns: what it adds to the cleaned text."""
        whole = self._before + text
        cleaned = clean(whole)[len(clean(self._before)) :]
        self._before = ALWAYS_HIDDEN.sub("", whole)[-CONTEXT:]
        return cleaned


def clean_name(name: str) -> str:
    """The same on one line: for the name of a person or a file."""
    return LINES.sub(" ", clean_words(name)).strip()


def isolated(name: str) -> str:
    """A name within other text; one from right to left does not turn what stands around it."""
    return f"\u2068{name}\u2069" if RIGHT_TO_LEFT.search(name) else name


def clean_words(text: str) -> str:
    """A cleaned text; empty if nothing of it can be seen."""
    cleaned = clean(text)
    return "" if is_unseen(cleaned) else cleaned


def is_unseen(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return UNSEEN.fullmatch(text) is not None
