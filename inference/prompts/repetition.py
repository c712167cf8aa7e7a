"""Notice a model that has fallen into a loop."""

from __future__ import annotations

import re

MAX_CYCLE_CHARS = 800
MIN_ROUNDS = 4
MIN_WORDS = 96
"""A cycle of words is a loop once it has said so many of them that differ within a round."""
MIN_WORDS_BYTES = 480
MIN_SIGNS_BYTES = 1000
"""A cycle without words (rules, dots, digits, cells) is a loop once it has filled so much."""
SILENT_TOKENS = 64
"""So many tokens in a row that spell nothing are a loop."""

WINDOW_CHARS = MIN_ROUNDS * MAX_CYCLE_CHARS
CHECK_CHARS = 32
PROBES = (16, 64, 256)
CANDIDATES = 4

_WORD = re.compile(r"[^\W\d_]{2,}")
# Thai, Japanese and Chinese, which put no spaces between words.
_UNSPACED = re.compile(r"[\u0e01-\u0e4e\u3041-\u30ff\u3400-\u9fff]")


class LoopGuard:
    """Watches one answer. Sees text, not tokens: how a line of dashes is cut into tokens, or a
    Japanese character, differs from tokenizer to tokenizer by a factor of thirty.

    What fills an answer evenly is often right: the rule of a wide table, a matrix of zeros, a
    column of N/A, empty boxes, lines of code. What goes on so for ever, or says a sentence again
    and again, is not. So the more different words a cycle has, the fewer rounds it is allowed:
    `MIN_WORDS` over their number, and four at least. A sentence of eight words may come twelve
    times, a paragraph four, one word about a hundred; a cycle of signs may fill a kilobyte.
    """

    def __init__(self) -> None:
        self._tail = ""
        self._unchecked = 0
        self._silent = 0

    def push(self, text: str) -> bool:
        """Take what a token has added. Returns: whether the answer ends in a loop.

        Looks at the text every `CHECK_CHARS` characters only, and at `WINDOW_CHARS` at most.
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
    """Whether the text ends in a cycle that has filled as much as its kind may."""
    tried: set[int] = set()
    for probe in PROBES:
        ending, at = text[-probe:], len(text) - probe
        farthest = max(0, at - MAX_CYCLE_CHARS)
        for candidate in range(CANDIDATES):
            # Where the text last ended as it ends now, a cycle may have begun.
            at = text.rfind(ending, farthest, max(0, at + probe - 1))
            if at < 0:
                if candidate == 0:
                    return False  # nor does a longer ending stand there
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
    if words:
        rounds = max(MIN_ROUNDS, -(-MIN_WORDS // words), -(-MIN_WORDS_BYTES // size))
    else:
        rounds = max(MIN_ROUNDS, -(-MIN_SIGNS_BYTES // size))
    span = min(rounds * period, WINDOW_CHARS)
    tail = text[-span:]
    return len(tail) == span and tail[period:] == tail[:-period]


def _distinct_words(cycle: str) -> int:
    unspaced = set(_UNSPACED.findall(cycle))
    rest = _UNSPACED.sub(" ", cycle)
    # It may begin within a word: turned so that it begins behind one.
    border = re.search(r"[\W\d_]", rest)
    if border is None:
        return 0  # one run of letters: DNA, "hahaha", no words
    turned = rest[border.start() :] + rest[: border.start()]
    return len({word.casefold() for word in _WORD.findall(turned)}) + len(unspaced) // 2
