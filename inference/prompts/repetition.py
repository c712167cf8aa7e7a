"""Detects a model that repeats itself without end."""

from __future__ import annotations

import re

MAX_CYCLE_CHARS = 800
MIN_ROUNDS = 4
MIN_WORDS = 96
"""A cycle of words is a loop once its rounds times its distinct words reach this many."""
MIN_WORDS_BYTES = 480
MIN_LAYOUT_BYTES = 5000
"""A cycle of signs, cells, rows, list items or code is a loop once it fills this much."""
SILENT_TOKENS = 64
"""Consecutive tokens without text that make a loop."""

WINDOW_CHARS = max(MIN_ROUNDS * MAX_CYCLE_CHARS, MIN_LAYOUT_BYTES)
CHECK_CHARS = 32
PROBES = (16, 64, 256)
CANDIDATES = 4

_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE = re.compile(r"[\w)\"'’”][.!?…。！？]+$")
_ROW = re.compile(r"\s*[|│┃<]")
_LAYOUT = re.compile(
    r"""
    \s*([-*+•‣◦☐☑✓#>]|\d+[.)])\s+  # an item of a list
    | \s*[\[{}\]]                 # a row of JSON
    | (\ {4}|\t)                   # a line of code
    | .*(\||\t|\S[ ]{2,}\S|\ &\ )  # columns
    | .*[,;]\S.*[,;]\S             # CSV
    | [^,.!?]{1,24}(,\ [^,.!?]{1,24}){2,}$
    | .*([;{}>)\]\\]|[\w"],)$       # the end of a line of code or of JSON
    """,
    re.VERBOSE,
)
_SEPARATOR = re.compile(r"[,;/&|\t]")
_CELLS = re.compile(r"""(["'(\[]?\w+["')\]]?[ ]?[,;/&|\t][ ]?)+""")
# Thai, Japanese and Chinese, which put no spaces between words.
_UNSPACED = re.compile(r"[\u0e01-\u0e4e\u3041-\u30ff\u3400-\u9fff]")


class LoopGuard:
    """Watches the text of one answer for cycles.

    Text rather than tokens: the number of tokens in a line of dashes, or in a Japanese character,
    differs between tokenizers by a factor of thirty.

    Even text is often right: the rule of a wide table, a matrix of zeros, a column of N/A, empty
    boxes, lines of code. Text that continues so for ever, or repeats one sentence, is not. So the
    more distinct words a cycle has, the fewer rounds it may take: `MIN_WORDS` over their number,
    but at least four. A sentence of eight words may come twelve times, a paragraph four times, one
    word about a hundred times. Signs, cells of one word, and lines that are rows, list items or
    code may fill `MIN_LAYOUT_BYTES`, more than right answers do. A list item or an indented line
    that is a sentence counts as a sentence.
    """

    def __init__(self) -> None:
        self._tail = ""
        self._unchecked = 0
        self._silent = 0

    def push(self, text: str) -> bool:
        """Add a token's text. Returns: whether the answer ends in a loop.

        Checks every `CHECK_CHARS` characters, and at most the last `WINDOW_CHARS`.
        """
        if not text:
            self._silent += 1
            return self._silent >= SILENT_TOKENS
        self._silent = 0
        self._tail = (self._tail + text)[-WINDOW_CHARS:]
        self._unchecked += len(text)
        if self._unchecked < CHECK_CHARS:
            return False
        self._unchecked = 0
        return _is_looping(self._tail)


def _is_looping(text: str) -> bool:
    """Whether the text ends in a cycle that is longer than its kind may be."""
    tried: set[int] = set()
    for probe in PROBES:
        ending, at = text[-probe:], len(text) - probe
        farthest = max(0, at - MAX_CYCLE_CHARS)
        for candidate in range(CANDIDATES):
            # A cycle may have begun at an earlier occurrence of the ending.
            at = text.rfind(ending, farthest, max(0, at + probe - 1))
            if at < 0:
                if candidate == 0:
                    return False  # a longer ending does not occur either
                break
            period = len(text) - probe - at
            if period not in tried and _fills(text, period):
                return True
            tried.add(period)
    return False


def _fills(text: str, period: int) -> bool:
    cycle = text[-period:]
    if text[-2 * period : -period] != cycle:
        return False
    size = len(cycle.encode())
    words = _distinct_words(cycle)
    if words and not _is_layout(cycle):
        rounds = max(MIN_ROUNDS, -(-MIN_WORDS // words), -(-MIN_WORDS_BYTES // size))
    else:
        rounds = max(MIN_ROUNDS, -(-MIN_LAYOUT_BYTES // size))
    span = min(rounds * period, WINDOW_CHARS)
    tail = text[-span:]
    return len(tail) == span and tail[period:] == tail[:-period]


def _is_layout(cycle: str) -> bool:
    """Whether the text is cells, or lines of a table, of a list or of code."""
    if "\n" not in cycle:
        # It may begin within a cell: rotate it so that it begins with one.
        border = _SEPARATOR.search(cycle)
        at = border.end() if border else 0
        return _CELLS.fullmatch((cycle[at:] + cycle[:at]).lstrip()) is not None
    # It may begin within a line: rotate it so that it begins with one.
    begin, _, rest = cycle.partition("\n")
    lines = [line.rstrip() for line in f"{rest}{begin}".split("\n") if line.strip()]
    return all(map(_is_layout_line, lines))


def _is_layout_line(line: str) -> bool:
    if _ROW.match(line):
        return True  # of a table, or a tag
    if _WORD.search(line) is None:
        return True
    return _SENTENCE.search(line) is None and _LAYOUT.match(line) is not None


def _distinct_words(cycle: str) -> int:
    unspaced = set(_UNSPACED.findall(cycle))
    rest = _UNSPACED.sub(" ", cycle)
    # The cycle may begin within a word: rotate it so that it begins after one.
    border = re.search(r"[\W\d_]", rest)
    if border is None:
        return 0  # one run of letters: DNA, "hahaha", no words
    rotated = rest[border.start() :] + rest[: border.start()]
    return len({word.casefold() for word in _WORD.findall(rotated)}) + len(unspaced) // 2
