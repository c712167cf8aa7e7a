"""The fast path: many requests at once, step by step.

A step is short: ask the scheduler for a plan, start it, wait for the one before it, and say what
that one has made. While the device computes a step, the tokens of the step before become text.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from inference.device import is_out_of_memory
from inference.errors import ContextExceeded, EngineDead, GenerationFailed, safe_traceback
from inference.execution.runner import (
    NO_TOKEN,
    Runner,
    SequenceFailed,
    SequenceInputs,
    StepInFlight,
)
from inference.execution.vision import VisionEncoder
from inference.models.family import Family
from inference.prompts.answer_text import AnswerText
from inference.prompts.builder import PromptBuilder
from inference.prompts.detokenize import TokenBytes
from inference.prompts.prompt import Prompt
from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.scheduler import Plan, Scheduler, Sequence
from inference.serving.backend import AddJob, Job, StepOutput
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelInfo,
    Queued,
    Started,
    TextDelta,
)

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""Steps that run out of memory one after the other before a request is refused."""

MIN_PREFILL_BUDGET = 64


class BatchingBackend:
    """Implements `inference.serving.backend.Backend` over a scheduler and a runner."""

    prepares = True

    def __init__(
        self,
        *,
        model: ModelInfo,
        family: Family,
        prompts: PromptBuilder,
        tokenizer: Any,
        stop_ids: frozenset[int],
        scheduler: Scheduler[SequenceInputs],
        features: VisionEncoder,
        runner: Runner,
        max_running: int,
        prefill_budget: int,
        idle_prefill_budget: int,
    ) -> None:
        """Take its parts.

        Args:
            model: what is loaded.
            family: the model's.
            prompts: of the model.
            tokenizer: a fast one, for the answers' text.
            stop_ids: tokens that end an answer.
            scheduler: with `max_running`.
            features: the runner's.
            runner: what runs its plans.
            max_running: requests at once.
            prefill_budget: read in one step while somebody is talking.
            idle_prefill_budget: read in one step while nobody is.
        """
        self._model = model
        self._family = family
        self._prompts = prompts
        self._token_bytes = TokenBytes(tokenizer)
        self._stop_ids = stop_ids
        self._scheduler = scheduler
        self.features = features
        self._runner = runner
        self.max_running = max_running
        self._prefill_budget = prefill_budget
        self._idle_prefill_budget = idle_prefill_budget
        self._live: dict[Sequence[SequenceInputs], _RunningRequest] = {}
        self._in_flight: deque[tuple[Plan[SequenceInputs], StepInFlight]] = deque()
        self._out_of_memory = 0

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        return self._model

    @property
    def token_bytes(self) -> float:
        """What the keys and values of one token take."""
        return self._runner.cache.page_bytes / PAGE_TOKENS

    @property
    def is_busy(self) -> bool:
        """See `Backend.is_busy`."""
        return bool(self._live or self._in_flight)

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Backend.prompt_tokens`."""
        return len(self._prompts.build(messages).tokens)

    def prepare(self, request: GenerationRequest) -> AddJob:
        """See `Backend.prepare`."""
        return partial(self.add, self.prompt_of(request))

    def prompt_of(self, request: GenerationRequest) -> Prompt:
        """Return a request's prompt; pictures that are yet to be encoded are decoded.

        Safe from any thread. Raises: RequestRejected.
        """
        prompt = self._prompts.build(request.messages)
        if len(prompt.tokens) >= self._model.context_tokens:
            raise ContextExceeded(len(prompt.tokens) + 1, self._model.context_tokens)
        self.features.prepare(prompt)
        return prompt

    def add(self, prompt: Prompt, job: Job) -> None:
        """Submit a prepared request to the scheduler, on the device thread."""
        sampling = job.request.sampling
        seed = secrets.randbits(31) if sampling.seed is None else sampling.seed % 2**31
        inputs = SequenceInputs(prompt, sampling, torch.Generator().manual_seed(seed), seed)
        sequence = Sequence(
            tokens=list(prompt.tokens),
            pictures=prompt.spans,
            max_tokens=min(
                len(prompt.tokens) + sampling.max_new_tokens, self._model.context_tokens
            ),
            asker=job.request.asker,
            inputs=inputs,
        )
        answer = _RunningRequest(
            job, prompt, AnswerText(self._token_bytes, self._family.turn_marks)
        )
        self._scheduler.submit(sequence)
        self._live[sequence] = answer

    def clear_caches(self, output: StepOutput | None = None) -> None:
        """See `Backend.clear_caches`."""
        if output is not None:
            self._end_cancelled(output)
        self._scheduler.shrink()
        self._runner.free_memory()
        self._prompts.clear()

    def step(self, output: StepOutput) -> None:
        """See `Backend.step`."""
        self._end_cancelled(output)
        try:
            has_started = self._start(output)
            if self._in_flight and (len(self._in_flight) > self._runner.ahead or not has_started):
                self._finish_oldest(output)
        except torch.AcceleratorError as exc:
            log.error("the device failed: %s", safe_traceback(exc))
            raise EngineDead("the device failed") from None
        self._tell_places(output)

    # -- a step -------------------------------------------------------------------------------

    def _start(self, output: StepOutput) -> bool:
        """Start the next step. Returns: whether there was one, be it that it failed."""
        talking = any(sequence.is_prefilled for sequence in self._scheduler.running)
        prefill_budget = self._prefill_budget if talking else self._idle_prefill_budget
        prefill_budget = max(MIN_PREFILL_BUDGET, prefill_budget >> self._out_of_memory)
        plan = self._scheduler.plan(prefill_budget)
        if plan is None:
            return False
        for chunk in plan.chunks:
            answer = self._live[chunk.sequence]
            if answer.begun_at is None:
                answer.begun_at = time.perf_counter()
                output.emit(answer.job, Started())
        try:
            step = self._runner.start(plan)
        except Exception as exc:  # noqa: BLE001 - those of this step must hear of it, others go on
            if not is_out_of_memory(exc):
                log.error("a step failed: %s", safe_traceback(exc.__cause__ or exc))
                self._runner.check_device()
                self._scheduler.undo(plan)
                for sequence in _at_fault(plan, exc):
                    self._fail(output, sequence, type(exc.__cause__ or exc).__name__)
                return True
            # Its traceback holds the tensors of the failed step: they are free once it is gone.
            exc.__traceback__ = None
        else:
            self._in_flight.append((plan, step))
            self._out_of_memory = 0
            return True
        self._make_memory(output, plan)
        return True

    def _make_memory(self, output: StepOutput, plan: Plan[SequenceInputs]) -> None:
        """Undo a step that did not fit; caches shrink, and it is tried again in smaller pieces."""
        log.warning("out of memory: a step is tried again")
        self._scheduler.undo(plan)
        self._runner.free_memory()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._out_of_memory += 1
        if self._out_of_memory >= ATTEMPTS:
            self._out_of_memory = 0
            latest = max(
                [*plan.decodes, *(chunk.sequence for chunk in plan.chunks)],
                key=lambda sequence: sequence.arrival,
            )
            self._fail(output, latest, "out of memory")

    def _finish_oldest(self, output: StepOutput) -> None:
        plan, step = self._in_flight.popleft()
        try:
            tokens = step.wait()
            sampled = list(zip(plan.sampled, tokens, strict=True))
        except torch.AcceleratorError:
            raise
        except Exception as exc:  # noqa: BLE001 - those of this step must hear of it, others go on
            log.error("a step failed: %s", safe_traceback(exc))
            self._runner.check_device()
            for sequence in {*plan.decodes, *(chunk.sequence for chunk in plan.chunks)}:
                self._fail(output, sequence, type(exc).__name__)
            return
        lost = [sequence for sequence, token in sampled if token == NO_TOKEN]
        for sequence in lost:  # before others could share what was computed for it
            self._fail(output, sequence, "no token could be chosen")
        self._scheduler.complete(plan, tokens)
        if lost:
            # Its keys or values may be NaN, which spreads from a page that somebody else gets
            # next: tokens that are not there yet are masked, and zero times NaN is NaN.
            self._scheduler.shrink()
            self._runner.cache.erase(self._scheduler.free_pages)
        for sequence, token in sampled:
            if sequence in self._live:
                with self._contained(output, sequence):
                    self._go_on(output, sequence, token)

    def _go_on(self, output: StepOutput, sequence: Sequence[SequenceInputs], token: int) -> None:
        """Make one sequence's new token text, and end its answer where it ends."""
        answer = self._live[sequence]
        reason, text = self._take(answer, token)
        if text:
            output.emit(answer.job, TextDelta(text))
            answer.said_text += text
        if reason is None and len(sequence.tokens) >= sequence.max_tokens:
            reason = FinishReason.LENGTH
        if reason is not None:
            self._end(output, sequence, reason)

    def _take(self, answer: _RunningRequest, token: int) -> tuple[FinishReason | None, str]:
        if answer.first_token_at is None:
            answer.first_token_at = time.perf_counter()
            self.features.release(answer.prompt)
        answer.new_tokens += 1
        if token in self._stop_ids and not answer.job.request.sampling.ignore_eos:
            return FinishReason.STOP, ""
        answer.said.append(token)
        text = answer.text.push(token)
        return answer.text.ended, text

    # -- ends ---------------------------------------------------------------------------------

    def _end_cancelled(self, output: StepOutput) -> None:
        for sequence, answer in list(self._live.items()):
            if answer.job.cancelled:
                with self._contained(output, sequence):
                    self._end(output, sequence, FinishReason.ABORTED)

    def _end(
        self, output: StepOutput, sequence: Sequence[SequenceInputs], reason: FinishReason
    ) -> None:
        answer = self._live[sequence]
        rest = answer.text.flush()
        if rest:
            output.emit(answer.job, TextDelta(rest))
            answer.said_text += rest
        self._remember(answer)
        now = time.perf_counter()
        begun_at = answer.begun_at or now
        finished = Finished(
            reason=reason,
            prompt_tokens=sequence.prompt_tokens,
            new_tokens=answer.new_tokens,
            cached_tokens=sequence.cached_tokens,
            first_token_s=(answer.first_token_at or now) - begun_at,
            total_s=now - begun_at,
        )
        self._drop(sequence)
        output.emit(answer.job, finished)

    def _remember(self, answer: _RunningRequest) -> None:
        if answer.text.ended is FinishReason.STOP:
            return  # its tokens spell the next turn, too
        try:
            self._prompts.record_answer(answer.prompt, answer.said, answer.said_text)
        except Exception as exc:  # noqa: BLE001 - the answer is whole; its follow-up is read again
            log.error("an answer's tokens cannot be kept: %s", safe_traceback(exc))

    @contextmanager
    def _contained(self, output: StepOutput, sequence: Sequence[SequenceInputs]) -> Iterator[None]:
        """Whatever goes wrong inside ends this sequence alone, unless the device fails."""
        try:
            yield
        except torch.AcceleratorError:
            raise
        except Exception as exc:  # noqa: BLE001 - one answer's failure must not reach the others
            log.error("an answer failed: %s", safe_traceback(exc))
            self._fail(output, sequence, type(exc).__name__)

    def _fail(self, output: StepOutput, sequence: Sequence[SequenceInputs], why: str) -> None:
        answer = self._live.get(sequence)
        if answer is not None:
            self._drop(sequence)
            output.emit(answer.job, GenerationFailed(why))

    def _drop(self, sequence: Sequence[SequenceInputs]) -> None:
        del self._live[sequence]
        self._scheduler.end(sequence)
        self._runner.leave(sequence)

    def _tell_places(self, output: StepOutput) -> None:
        place = 0
        for sequence in self._scheduler.waiting():
            answer = self._live[sequence]
            if answer.begun_at is None:  # one that has lost its pages need not know
                place += 1
                if answer.place != place:
                    answer.place = place
                    output.emit(answer.job, Queued(place))


def _at_fault(plan: Plan[SequenceInputs], exc: Exception) -> set[Sequence[SequenceInputs]]:
    """Whose failure a failed step is: the runner names one sequence, or it may be any that is read.

    Those who talk are tried without; only where they were alone is it theirs.
    """
    if isinstance(exc, SequenceFailed):
        return {exc.sequence}
    return {chunk.sequence for chunk in plan.chunks} or {*plan.decodes}


class _RunningRequest:
    """What has become of a request so far."""

    def __init__(self, job: Job, prompt: Prompt, text: AnswerText) -> None:
        self.job = job
        self.prompt = prompt
        self.text = text
        self.said: list[int] = []
        self.said_text = ""
        self.new_tokens = 0
        self.place: int | None = None
        self.begun_at: float | None = None
        self.first_token_at: float | None = None
