"""Notice a model that has fallen into a loop."""

from __future__ import annotations

MAX_CYCLE_TOKENS = 32
MIN_REPEATED_TOKENS = 48
MIN_ROUNDS = 4


def is_looping(token_ids: list[int]) -> bool:
    """Whether the answer ends in one cycle of tokens said over and over.

    A cycle of at most `MAX_CYCLE_TOKENS` must fill the last `MIN_REPEATED_TOKENS` tokens, and at
    least `MIN_ROUNDS` rounds: lists and tables repeat too, but not that evenly.
    """
    for cycle in range(1, MAX_CYCLE_TOKENS + 1):
        span = max(MIN_REPEATED_TOKENS, cycle * MIN_ROUNDS)
        if len(token_ids) < span:
            continue
        tail = token_ids[-span:]
        if tail[cycle:] == tail[:-cycle]:
            return True
    return False
