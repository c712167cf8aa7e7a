"""What the scheduler plans with: sequences, chunks of their prefill, and one step's plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from inference.scheduling.lookup import Lookup
from inference.scheduling.prefix_tree import Node, PageKey, PictureSpan

Inputs = TypeVar("Inputs")


@dataclass(slots=True, eq=False)
class Sequence(Generic[Inputs]):
    """One request in the engine. Its tokens only ever grow."""

    tokens: list[int] = field(repr=False)
    """The prompt, then the generated tokens."""
    inputs: Inputs
    """What the runner needs of the request; opaque to the scheduler."""
    pictures: tuple[PictureSpan, ...] = ()
    max_tokens: int = 1 << 30
    """Prompt and answer together; the sequence ends at this length."""
    user_id: str = ""
    """Id of the user; the scheduler is fair across users."""
    background: bool = False
    """Never admitted or prefilled ahead of a sequence that is not, and preempted for it."""

    arrival: int = 0
    prompt_tokens: int = 0
    computed: int = 0
    """Tokens whose keys and values are computed, counting planned steps."""
    done: int = 0
    """The same, counting completed steps only."""
    pending: int = 0
    """Tokens that steps in flight will sample; those that check proposals count once."""
    checking: int = 0
    """Proposed tokens that a step in flight checks. No other step is planned meanwhile."""
    lookup: Lookup | None = None
    """Made when tokens are first proposed for it."""
    pages: list[int] = field(default_factory=list)
    cached_tokens: int = 0
    """Prompt tokens found in the prefix tree on first admission."""
    skipped_steps: int = 0
    is_prefilled: bool = False
    """Whether all known tokens are computed or planned, so that it decodes from now on."""
    is_short_prefill: bool = False
    ended: bool = False
    _keys: list[PageKey] = field(default_factory=list)
    _chain: list[Node] = field(default_factory=list)
    _own: set[int] = field(default_factory=set)
    _claim: tuple[int, PageKey] | None = None

    @property
    def is_in_flight(self) -> bool:
        """Whether a planned step with it has not completed."""
        return self.computed != self.done

    @property
    def wants_token(self) -> bool:
        """Whether it may sample one more token after the planned ones."""
        return len(self.tokens) + self.pending < self.max_tokens

    def prefill_size(self, budget: int) -> int:
        """Return how many tokens to prefill next.

        They keep to the budget, unless they begin with a picture that must be prefilled whole.
        """
        start = self.computed
        end = min(start + budget, len(self.tokens))
        for picture in self.pictures:
            if picture.is_whole and picture.start < end < picture.end:
                end = picture.start if picture.start > start else picture.end
        return end - start


@dataclass(frozen=True, slots=True)
class PrefillChunk(Generic[Inputs]):
    """Tokens of a sequence to prefill: from `start` up to `start + count`."""

    sequence: Sequence[Inputs]
    start: int
    count: int
    is_last: bool
    """Whether the step samples the sequence's next token after it."""

    @property
    def end(self) -> int:
        """The first token after it."""
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class DecodeRow(Generic[Inputs]):
    """A row of a step that samples a token after one token of a sequence."""

    sequence: Sequence[Inputs]
    position: int
    """Of the input token."""
    token: int | None
    """The input; `None`: it is still on the device."""
    num_proposed: int
    """How many of the tokens up to the input, the last ones, are proposals."""


@dataclass(frozen=True, slots=True)
class Plan(Generic[Inputs]):
    """One step of the device."""

    decodes: tuple[Sequence[Inputs], ...]
    """Each samples a token after its newest one, known or still on the device, and one after each
    token that is proposed for it."""
    positions: tuple[int, ...]
    """Position of each decode's newest token."""
    chunks: tuple[PrefillChunk[Inputs], ...]
    proposals: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    """Of each decode, the tokens that may come next; empty where none is proposed for any."""

    @property
    def proposed(self) -> tuple[tuple[int, ...], ...]:
        """`proposals`, also where there are none: one tuple for each decode."""
        return self.proposals or ((),) * len(self.decodes)

    @property
    def decode_rows(self) -> list[DecodeRow[Inputs]]:
        """The rows of the decodes, one after the other; to be read before the step is complete."""
        rows = []
        for sequence, at, proposed in zip(self.decodes, self.positions, self.proposed, strict=True):
            newest = sequence.tokens[at] if at < len(sequence.tokens) else None
            rows.append(DecodeRow(sequence, at, newest, 0))
            for count, token in enumerate(proposed, 1):
                rows.append(DecodeRow(sequence, at + count, token, count))
        return rows

    @property
    def sampled(self) -> tuple[Sequence[Inputs], ...]:
        """Sequences that sample a token, in the order `complete` takes the tokens."""
        return self.decodes + tuple(chunk.sequence for chunk in self.chunks if chunk.is_last)
