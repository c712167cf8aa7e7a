"""The runner for CPUs, in plain torch.

It computes a step in one pass over the weights, decodes and prefills together (`torch_step.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from inference.errors import safe_traceback
from inference.execution.decoder import Decoder
from inference.execution.embeddings import embeddings_of
from inference.execution.kv_cache import KVCache
from inference.execution.row_independence import fewest_rows
from inference.execution.runner import NO_TOKEN, SequenceInputs, reported
from inference.execution.sampling import LogitsProcessors, choose, seen_tokens
from inference.execution.torch_step import TorchStep, rows_of
from inference.execution.vision import VisionEncoder
from inference.scheduling.lookup import RowCosts
from inference.scheduling.sequences import Plan, Sequence

log = logging.getLogger(__name__)

ROW_COSTS = RowCosts(max_rows=16, row=0.06)
"""An estimate for a CPU with few cores, not measured."""


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """Implements `StepInFlight`: the CPU has computed it already."""

    tokens: list[list[int]] = field(repr=False)

    def wait(self) -> list[list[int]]:
        """See `StepInFlight.wait`."""
        return self.tokens


class TorchRunner:
    """Implements `Runner` in plain torch; a step is complete when `start` returns."""

    ahead = 0

    def __init__(
        self, decoder: Decoder, vision: VisionEncoder, cache: KVCache, processors: LogitsProcessors
    ) -> None:
        """Make a runner; all arguments are on one device."""
        self._decoder = decoder
        self._vision = vision
        self.cache = cache
        self._processors = processors
        fewest = fewest_rows(decoder, cache, ROW_COSTS.max_rows)
        self._fewest_rows = fewest or 1
        self.row_costs: RowCosts | None = None if fewest is None else ROW_COSTS

    @torch.inference_mode()
    def start(self, plan: Plan[SequenceInputs]) -> FinishedStep:
        """See `Runner.start`."""
        decoder = self._decoder
        decode_rows = plan.decode_rows
        count = len(decode_rows) + sum(chunk.count for chunk in plan.chunks)
        rows = rows_of(decode_rows, padding=max(0, self._fewest_rows - count))
        newest = [row.token for row in decode_rows] + [0] * (len(rows) - len(decode_rows))
        parts = []
        deepstack = None
        if newest:
            parts.append(decoder.embed(torch.tensor(newest, device=decoder.device)))
        if plan.chunks:
            prefilled = embeddings_of(decoder, self._vision, plan.chunks)
            parts.append(prefilled.residual)
            if prefilled.deepstack is not None:
                deepstack = nn.functional.pad(prefilled.deepstack, (0, 0, len(newest), 0))
        step = TorchStep(decoder, self.cache, rows, plan.chunks)
        hidden = decoder.forward(torch.cat(parts), step, deepstack)
        last_rows = list(range(len(decode_rows)))
        at = len(newest)
        for chunk in plan.chunks:
            at += chunk.count
            if chunk.is_last:
                last_rows.append(at - 1)
        if not last_rows:
            return FinishedStep([])
        # As many rows as the layers have: see `fewest_rows`.
        padding = max(0, self._fewest_rows - len(last_rows))
        logits = decoder.head(hidden[last_rows + last_rows[:1] * padding])[: len(last_rows)]
        return FinishedStep(self._sampled(plan, logits))

    def _sampled(self, plan: Plan[SequenceInputs], logits: Tensor) -> list[list[int]]:
        """Return the new tokens of each of `plan.sampled`; a row of logits for each sampled row."""
        proposals = list(plan.proposed)
        proposals += [()] * (len(plan.sampled) - len(proposals))
        found, at = [], 0
        for sequence, proposed in zip(plan.sampled, proposals, strict=True):
            rows = logits[at : at + 1 + len(proposed)]
            at += len(rows)
            seen = None
            if self._processors.needs_seen:
                known = [[*sequence.tokens, *proposed[:count]] for count in range(len(rows))]
                seen = torch.stack([seen_tokens(tokens, rows.shape[-1]) for tokens in known])
            rows = self._processors.apply(rows, seen)
            found.append(_new_tokens(rows, proposed, sequence.inputs))
        return found

    def leave(self, sequence: Sequence[SequenceInputs]) -> None:
        """See `Runner.leave`."""

    def free_memory(self) -> None:
        """See `Runner.free_memory`."""
        self._vision.clear()

    def check_device(self) -> None:
        """See `Runner.check_device`; a CPU does not fail."""


def _new_tokens(logits: Tensor, proposed: tuple[int, ...], inputs: SequenceInputs) -> list[int]:
    """A sequence's new tokens, or `NO_TOKEN`. Each is chosen as it would be in a step of its own.

    So the generator goes on only as far as proposals were right.
    """
    if not bool((logits.amax(-1) < torch.inf).all()):  # nor is any NaN
        return reported([NO_TOKEN])
    found: list[int] = []
    for row, expected in zip(logits, [*proposed, NO_TOKEN], strict=True):
        found.append(_choose(row, inputs))
        if found[-1] != expected:
            break
    return [NO_TOKEN] if NO_TOKEN in found else found


def _choose(logits: Tensor, inputs: SequenceInputs) -> int:
    """A sequence's next token, or `NO_TOKEN`."""
    try:
        return choose(logits, inputs.sampling, inputs.generator)
    except Exception as exc:  # noqa: BLE001 - one row's failure must not reach the other rows
        log.error("no token can be chosen: %s", safe_traceback(exc))
        return NO_TOKEN
