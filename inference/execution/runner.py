"""The protocol that runs the scheduler's plans on a device."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Protocol

import torch

from inference.execution.kv_cache import KVCache
from inference.prompts.prompt import Prompt
from inference.scheduling.lookup import RowCosts, accepted
from inference.scheduling.sequences import Plan, Sequence
from inference.types import Sampling

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class SequenceInputs:
    """What a runner needs of a request besides its tokens: `Sequence.inputs`."""

    prompt: Prompt
    sampling: Sampling
    generator: torch.Generator
    seed: int
    rope_delta: int = field(init=False)
    """See `Prompt.rope_delta`; a generated token is behind all pictures."""

    def __post_init__(self) -> None:
        self.rope_delta = self.prompt.rope_delta


NO_TOKEN = -1
"""Reported in place of a token where the logits are NaN or infinite; that request fails."""


class SequenceFailed(Exception):
    """One sequence of a step cannot be computed; the step can run without it.

    Its `__cause__` is what went wrong.
    """

    def __init__(self, sequence: Sequence[SequenceInputs]) -> None:
        super().__init__("a sequence cannot be computed")
        self.sequence = sequence


class StepInFlight(Protocol):
    """A step that has been started."""

    def wait(self) -> list[list[int]]:
        """Wait for the step.

        Returns: for each of the plan's `sampled`, its new tokens (one, and more where proposals
        were right), or `NO_TOKEN` alone.
        """
        ...


class Runner(Protocol):
    """Runs steps in the order they are started. For the device thread."""

    ahead: int
    """How many steps may be in flight before the oldest is waited for."""
    cache: KVCache
    row_costs: RowCosts | None
    """Within these, a row's result does not depend on the others. None: it may."""

    def start(self, plan: Plan[SequenceInputs]) -> StepInFlight:
        """Start a step without waiting for the device.

        Raises:
            torch.OutOfMemoryError: nothing has been computed.
            SequenceFailed: nothing has been computed, and one sequence is at fault.
        """
        ...

    def leave(self, sequence: Sequence[SequenceInputs]) -> None:
        """Free what is held for a sequence whose request has ended."""
        ...

    def free_memory(self) -> None:
        """Drop caches. Nothing from finished requests is retained."""
        ...

    def check_device(self) -> None:
        """Raises: torch.AcceleratorError if the device has failed for good."""
        ...


def new_tokens_of(plan: Plan[SequenceInputs], chosen: list[int]) -> list[list[int]]:
    """Return each decode's new tokens.

    Args:
        plan: the step's.
        chosen: a token or `NO_TOKEN` for each of its `decode_rows`.
    """
    found, at = [], 0
    for proposed in plan.proposed:
        rows = chosen[at : at + 1 + len(proposed)]
        # Also behind a wrong proposal: what is NaN there would stay in the sequence's pages.
        found.append([NO_TOKEN] if NO_TOKEN in rows else accepted(proposed, rows))
        at += len(rows)
    return found


def reported(tokens: list[int]) -> list[int]:
    """The tokens; logs when one of them is `NO_TOKEN`."""
    if NO_TOKEN in tokens:
        log.error("no token can be chosen: the logits are NaN or infinite")
    return tokens
