"""Prompt lookup: a sequence's own tokens propose its next ones.

Where the newest tokens stand earlier in a sequence (a quote, a list, text read from a picture),
what followed them there is likely to follow again. A step checks proposals as further rows, which
cost less than steps of their own. No torch here, and no model: an index of n-grams.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.metrics import Counter
from inference.scheduling.prefix_tree import PictureSpan

PROPOSED = Counter(
    "spec_decode_num_draft_tokens", "Tokens that were proposed and checked in a decode step."
)
ACCEPTED = Counter("spec_decode_num_accepted_tokens", "Proposed tokens that were right.")

NGRAM = 3
"""Tokens that must stand earlier in a sequence for those behind them to be proposed."""
INDEXED_AT_ONCE = 1024
"""Tokens that one call indexes at most, so that no step waits long for a long prompt's index."""
FADING = 0.9
"""A token's weight in `Lookup.hit_rate`, for each token since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCosts:
    """What proposals cost on a device, and how many it takes."""

    max_rows: int
    """Most rows of a step, those of the sequences included."""
    row: float
    """What a further row adds to a step, as a share of it."""
    wait: float = 0.0
    """What it costs, as a share of a step, that the next one is planned only after this one."""

    def worthwhile(self, hit_rate: float, *, skip: int, decoding: int, room: int) -> int:
        """Return how many tokens to propose for a sequence.

        The step takes longer for every decoding sequence, and brings tokens to this one alone.

        Args:
            hit_rate: see `Lookup.hit_rate`.
            skip: proposed tokens that others in flight stand for: they must be right, too.
            decoding: sequences that the step keeps waiting, this one included.
            room: most tokens.
        """
        best, gain, chance = 0, -self.wait * decoding, hit_rate**skip
        for count in range(1, room + 1):
            chance *= hit_rate
            if chance <= self.row * decoding:
                break
            gain += chance - self.row * decoding
            if gain > 0:
                best = count
        return best


class Lookup:
    """The index of one sequence, which grows with it."""

    def __init__(self, tokens: Sequence[int], pictures: Sequence[PictureSpan] = ()) -> None:
        """Index nothing yet.

        Args:
            tokens: the sequence's, a list that only grows.
            pictures: in order; placeholders are neither indexed nor proposed.
        """
        self._tokens = tokens
        self._prompt_tokens = len(tokens)
        self._skips = {span.start: span.end for span in pictures}
        self._picture_starts = [span.start for span in pictures]
        self._behind: dict[tuple[int, ...], int] = {}  # by n-gram, where its latest one ends
        self._indexed = 0
        self._text_start = 0  # of the text that the newest indexed token is in
        self._next: int | None = None  # where the token stands that is proposed next
        self._hits, self._trials = 1.0, 2.0

    @property
    def hit_rate(self) -> float:
        """How often the token that the index would have proposed was the next one, 0 to 1.

        Counted for every generated token for which it had one, proposed or not: a sequence in
        which nothing is proposed any more may begin to quote.
        """
        return self._hits / self._trials

    def catch_up(self) -> bool:
        """Index new tokens. Returns: whether none is left."""
        tokens = self._tokens
        end = min(len(tokens), self._indexed + INDEXED_AT_ONCE)
        at = self._indexed
        while at < end:
            if at in self._skips:
                at = self._text_start = self._skips[at]
                self._next = None
                continue
            self._take(at)
            at += 1
        self._indexed = at
        return at >= len(tokens)

    def propose(self, count: int, *, skip: int = 0) -> tuple[int, ...]:
        """Return up to `count` tokens that may come next; call `catch_up` before.

        Args:
            count: most of them.
            skip: leave out so many first ones, for tokens that are not known yet.
        """
        first, known = self._next, len(self._tokens)
        if first is None or count <= 0:
            return ()
        end = first + skip + count
        at = bisect_left(self._picture_starts, first)
        if at < len(self._picture_starts):
            end = min(end, self._picture_starts[at])
        # What repeats itself up to its end goes on with what is proposed.
        period = known - first
        found = [self._tokens[first + (i % period)] for i in range(end - first)]
        return tuple(found[skip:])

    def _take(self, at: int) -> None:
        if at >= self._prompt_tokens and self._next is not None:
            is_hit = self._tokens[self._next] == self._tokens[at]
            self._hits = FADING * self._hits + is_hit
            self._trials = FADING * self._trials + 1
            self._next = self._next + 1 if is_hit and self._next + 1 not in self._skips else None
        if at - self._text_start + 1 < NGRAM:
            return
        ngram = tuple(self._tokens[at - NGRAM + 1 : at + 1])
        if self._next is None or at < self._prompt_tokens:
            self._next = self._behind.get(ngram)
        if at + 1 not in self._skips:
            self._behind[ngram] = at + 1


class Grows(Protocol):
    """What a proposer needs of a sequence; see `sequences.Sequence`."""

    tokens: list[int]
    pictures: tuple[PictureSpan, ...]
    max_tokens: int
    pending: int
    lookup: Lookup | None


class Proposer:
    """Proposes tokens where that is likely to bring more than it costs."""

    def __init__(self, costs: RowCosts) -> None:
        self._costs = costs

    def room(self, decoding: int) -> int:
        """Return how many tokens may be proposed in all, beside so many sequences that decode."""
        return max(0, self._costs.max_rows - decoding)

    def propose(self, sequence: Grows, running: int, room: int) -> tuple[int, ...]:
        """Return the tokens to check for a sequence, whose next token is planned already.

        Args:
            sequence: one that decodes.
            running: sequences that the step keeps waiting, this one included.
            room: most tokens.
        """
        left = sequence.max_tokens - len(sequence.tokens) - sequence.pending
        room = min(room, left)
        skip = sequence.pending - 1
        if not self._costs.worthwhile(1.0, skip=skip, decoding=running, room=room):
            return ()  # whatever its index would say
        if sequence.lookup is None:
            sequence.lookup = Lookup(sequence.tokens, sequence.pictures)
        lookup = sequence.lookup
        if not lookup.catch_up():
            return ()
        rate = lookup.hit_rate
        count = self._costs.worthwhile(rate, skip=skip, decoding=running, room=room)
        return lookup.propose(count, skip=skip)


@dataclass(slots=True)
class Decoded:
    """What decode steps have brought so far, one count for each sequence in a step."""

    steps: int = 0
    tokens: int = 0

    def count(self, proposed: int, tokens: int) -> None:
        """Count a step of a sequence, which checked `proposed` tokens and brought `tokens`."""
        self.steps += 1
        self.tokens += tokens
        if proposed:
            PROPOSED.add(by=proposed)
            ACCEPTED.add(by=tokens - 1)


def accepted(proposed: Sequence[int], chosen: Sequence[int]) -> list[int]:
    """Return a sequence's new tokens: those that steps without proposals would have chosen, too.

    A row's token counts if every proposed token up to it is the one that the row before it has
    chosen, greedily or at random. So it follows tokens that were all chosen by the model.

    Args:
        proposed: tokens that the step has checked.
        chosen: what it chose after the newest token and after each of these.
    """
    count = 0
    while count < len(proposed) and proposed[count] == chosen[count]:
        count += 1
    return list(chosen[: count + 1])
