"""Answers with proposed tokens, compared with those without."""

from __future__ import annotations

import random

from inference.scheduling.lookup import Grows, Proposer, RowCosts
from inference.scheduling.sequences import Sequence
from inference.serving.backend import Job
from inference.types import FinishReason, GenerationRequest
from tests.stepper import Stepper


class Oracle(Proposer):
    """Proposes what it knows to come next, with a mistake in every fifth place or so."""

    def __init__(self, answers: dict[tuple[int, ...], list[int]], max_rows: int) -> None:
        """`answers` are by prompt."""
        super().__init__(RowCosts(max_rows=max_rows, row=0.0))
        self._answers = answers
        self._random = random.Random(5)  # noqa: S311 - a pattern, no secret

    def propose(self, sequence: Grows, running: int, room: int) -> tuple[int, ...]:
        assert isinstance(sequence, Sequence)
        prompt = tuple(sequence.tokens[: sequence.prompt_tokens])
        at = len(sequence.tokens) - len(prompt) + sequence.pending - 1
        left = sequence.max_tokens - len(sequence.tokens) - sequence.pending
        count = max(0, min(room, left, self._random.randrange(6)))
        known = self._answers[prompt][at : at + count]
        return tuple(t if self._random.random() < 0.8 else t ^ 1 for t in known)


Answers = list[tuple[list[int], str, FinishReason]]
"""Tokens, text and end of each."""


def answers_of(stepper: Stepper, requests: list[GenerationRequest]) -> tuple[Answers, list[Job]]:
    """Have all requests answered at once, from empty caches."""
    stepper.backend.clear_caches()
    jobs = [stepper.ask(request) for request in requests]
    stepper.run()
    found = [(stepper.tokens[job], stepper.text(job), stepper.finished(job).reason) for job in jobs]
    return found, jobs


def same_answers(stepper: Stepper, requests: list[GenerationRequest]) -> Answers:
    """Assert that answers with proposals are those without, in fewer steps. Returns: the answers.

    The oracle stays.
    """
    scheduler = stepper.backend._scheduler
    costs = stepper.backend._runner.row_costs
    assert costs is not None, "rows depend on each other"
    scheduler._proposer = None
    wanted, jobs = answers_of(stepper, requests)
    known = {
        tuple(stepper.prompts[job].tokens): tokens
        for job, (tokens, _, _) in zip(jobs, wanted, strict=True)
    }
    scheduler._proposer = Oracle(known, costs.max_rows)
    before = scheduler.decoded.steps, scheduler.decoded.tokens
    got, _ = answers_of(stepper, requests)
    assert got == wanted
    saved = (scheduler.decoded.tokens - before[1]) - (scheduler.decoded.steps - before[0])
    assert saved > 0 or len(requests) >= costs.max_rows
    return wanted
