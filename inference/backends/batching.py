"""The fast path: many requests at once, step by step.

A step is short: ask the scheduler for a plan, start it, wait for the previous step, and emit its
text. While the device computes a step, the tokens of the previous one are detokenized.
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

from inference.about import about
from inference.backends.gpu_memory import GpuMemory
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
from inference.metrics import Counter, Gauge
from inference.models.family import Family
from inference.prompts.answer_text import AnswerText
from inference.prompts.builder import PromptBuilder
from inference.prompts.detokenize import TokenBytes
from inference.prompts.prompt import Prompt
from inference.scheduling.lookup import Decoded
from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.scheduler import Scheduler
from inference.scheduling.sequences import Plan, Sequence
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
"""Consecutive steps that run out of memory before a request fails."""

MIN_PREFILL_BUDGET = 64

CACHE_USAGE = Gauge(
    "kv_cache_usage_perc",
    "Share of the KV cache that running requests hold, 0 to 1.",
    ("model", "device"),
)
OUT_OF_MEMORY = Counter("step_out_of_memory", "Steps that did not fit the device's memory.")


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
        vision: VisionEncoder,
        runner: Runner,
        max_running: int,
        prefill_budget: int,
        idle_prefill_budget: int,
    ) -> None:
        """Assemble the backend.

        Args:
            model: the loaded model.
            family: its family.
            prompts: its prompt builder.
            tokenizer: a fast one, to detokenize answers.
            stop_ids: tokens that end an answer.
            scheduler: made for `max_running`.
            vision: the runner's vision encoder.
            runner: runs the scheduler's plans.
            max_running: most requests that run at once.
            prefill_budget: tokens to prefill per step while sequences are decoding.
            idle_prefill_budget: the same while none are.
        """
        self._model = model
        self._family = family
        self._prompts = prompts
        self._token_bytes = TokenBytes(tokenizer)
        self._stop_ids = stop_ids
        self._scheduler = scheduler
        self.vision = vision
        self._runner = runner
        self.max_running = max_running
        self._prefill_budget = prefill_budget
        self._idle_prefill_budget = idle_prefill_budget
        self._requests: dict[Sequence[SequenceInputs], _RunningRequest] = {}
        self._in_flight: deque[tuple[Plan[SequenceInputs], StepInFlight]] = deque()
        self._out_of_memory = 0
        self._memory = GpuMemory(model.device)

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        return self._model

    @property
    def token_bytes(self) -> float:
        """Bytes of one token's keys and values."""
        return self._runner.cache.page_bytes / PAGE_TOKENS

    @property
    def decoded(self) -> Decoded:
        """What decode steps have brought so far."""
        return self._scheduler.decoded

    @property
    def is_busy(self) -> bool:
        """See `Backend.is_busy`."""
        return bool(self._requests or self._in_flight)

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
        self.vision.prepare(prompt)
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
            user_id=job.request.user_id,
            background=job.request.background,
            inputs=inputs,
        )
        family = self._family
        text = AnswerText(
            self._token_bytes,
            family.turn_marks,
            family.thinking,
            job.request.stop,
            family.wrapping,
        )
        request = _RunningRequest(job, prompt, text)
        self._scheduler.submit(sequence)
        self._requests[sequence] = request

    def clear_caches(self, output: StepOutput | None = None) -> None:
        """See `Backend.clear_caches`."""
        if output is not None:
            self._finish_cancelled(output)
        self._scheduler.shrink()
        self._runner.free_memory()
        self._prompts.clear()

    def step(self, output: StepOutput) -> None:
        """See `Backend.step`."""
        self._finish_cancelled(output)
        try:
            if self._in_flight and self._in_flight[-1][0].proposals:
                while self._in_flight:  # what comes next follows from which of them were right
                    self._finish_oldest(output)
            has_started = self._start(output)
            if self._in_flight and (len(self._in_flight) > self._runner.ahead or not has_started):
                self._finish_oldest(output)
        except torch.AcceleratorError as exc:
            log.error("the device failed: %s", safe_traceback(exc))
            raise EngineDead("the device failed") from None
        self._emit_positions(output)
        CACHE_USAGE.set(self._scheduler.usage, self._model.name, self._model.device)
        self._memory.note()

    # -- a step -------------------------------------------------------------------------------

    def _start(self, output: StepOutput) -> bool:
        """Start the next step. Returns: whether a step was planned, even if it then failed."""
        is_decoding = any(sequence.is_prefilled for sequence in self._scheduler.running)
        prefill_budget = self._prefill_budget if is_decoding else self._idle_prefill_budget
        prefill_budget = max(MIN_PREFILL_BUDGET, prefill_budget >> self._out_of_memory)
        plan = self._scheduler.plan(prefill_budget)
        if plan is None:
            return False
        for chunk in plan.chunks:
            request = self._requests[chunk.sequence]
            if request.begun_at is None:
                request.begun_at = time.perf_counter()
                output.emit(request.job, Started())
        try:
            step = self._runner.start(plan)
        except Exception as exc:  # noqa: BLE001 - fails the requests of this step, and no others
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
        self._undo_out_of_memory(output, plan)
        return True

    def _undo_out_of_memory(self, output: StepOutput, plan: Plan[SequenceInputs]) -> None:
        """Undo a step that did not fit, free caches and retry with a smaller prefill budget."""
        log.warning("out of memory: retrying a step")
        OUT_OF_MEMORY.add()
        self._scheduler.undo(plan)
        self._runner.free_memory()
        torch.cuda.empty_cache()  # nothing where CUDA is not in use
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
        except Exception as exc:  # noqa: BLE001 - fails the requests of this step, and no others
            log.error("a step failed: %s", safe_traceback(exc))
            self._runner.check_device()
            for sequence in {*plan.decodes, *(chunk.sequence for chunk in plan.chunks)}:
                self._fail(output, sequence, type(exc).__name__)
            return
        lost = [sequence for sequence, new in sampled if NO_TOKEN in new]
        for sequence in lost:  # before others can share its pages
            self._fail(output, sequence, "no token could be chosen")
        self._scheduler.complete(plan, tokens)
        if lost:
            # Its keys or values may be NaN, which would spread from a page to its next owner:
            # tokens beyond its length are masked, but zero times NaN is NaN.
            self._scheduler.shrink()
            self._runner.cache.erase(self._scheduler.free_pages)
        for sequence, new in sampled:
            if sequence in self._requests:
                with self._contained(output, sequence):
                    self._advance(output, sequence, new)

    def _advance(
        self, output: StepOutput, sequence: Sequence[SequenceInputs], tokens: list[int]
    ) -> None:
        """Detokenize a sequence's new tokens, and finish the request where its answer ends."""
        request = self._requests[sequence]
        new_text, reason = "", None
        for token in tokens:
            reason, text = self._append(request, token)
            new_text += text
            if (
                reason is None
                and len(request.prompt.tokens) + request.new_tokens >= sequence.max_tokens
            ):
                reason = FinishReason.LENGTH
            if reason is not None:
                break
        if new_text:
            output.emit(request.job, TextDelta(new_text))
            request.emitted += new_text
        if reason is not None:
            self._finish(output, sequence, reason)

    def _append(self, request: _RunningRequest, token: int) -> tuple[FinishReason | None, str]:
        if request.first_token_at is None:
            request.first_token_at = time.perf_counter()
            self.vision.release(request.prompt)
        request.new_tokens += 1
        if token in self._stop_ids and not request.job.request.sampling.ignore_eos:
            return FinishReason.STOP, ""
        request.token_ids.append(token)
        text = request.text.push(token)
        return request.text.ended, text

    # -- ends ---------------------------------------------------------------------------------

    def _finish_cancelled(self, output: StepOutput) -> None:
        for sequence, request in list(self._requests.items()):
            if request.job.cancelled:
                with self._contained(output, sequence):
                    self._finish(output, sequence, FinishReason.ABORTED)

    def _finish(
        self, output: StepOutput, sequence: Sequence[SequenceInputs], reason: FinishReason
    ) -> None:
        request = self._requests[sequence]
        rest = request.text.flush()
        if rest:
            output.emit(request.job, TextDelta(rest))
            request.emitted += rest
        self._record(request)
        now = time.perf_counter()
        begun_at = request.begun_at or now
        finished = Finished(
            reason=reason,
            prompt_tokens=sequence.prompt_tokens,
            new_tokens=request.new_tokens,
            cached_tokens=sequence.cached_tokens,
            first_token_s=(request.first_token_at or now) - begun_at,
            total_s=now - begun_at,
        )
        self._drop(sequence)
        output.emit(request.job, finished)

    def _record(self, request: _RunningRequest) -> None:
        if request.text.ended in {FinishReason.NEXT_TURN, FinishReason.STOP}:
            return  # its tokens spell what was cut off, too
        try:
            self._prompts.record_answer(request.prompt, request.token_ids, request.emitted)
        except Exception as exc:  # noqa: BLE001 - a follow-up is prefilled anew instead
            with about(request.job.request.question):
                log.error("an answer's tokens cannot be recorded: %s", safe_traceback(exc))

    @contextmanager
    def _contained(self, output: StepOutput, sequence: Sequence[SequenceInputs]) -> Iterator[None]:
        """Any error inside fails this sequence alone, unless the device itself fails."""
        try:
            yield
        except torch.AcceleratorError:
            raise
        except Exception as exc:  # noqa: BLE001 - one request's failure must not reach the others
            with about(self._question_of(sequence)):
                log.error("a request failed: %s", safe_traceback(exc))
            self._fail(output, sequence, type(exc).__name__)

    def _question_of(self, sequence: Sequence[SequenceInputs]) -> str:
        request = self._requests.get(sequence)
        return "" if request is None else request.job.request.question

    def _fail(self, output: StepOutput, sequence: Sequence[SequenceInputs], why: str) -> None:
        request = self._requests.get(sequence)
        if request is not None:
            self._drop(sequence)
            output.emit(request.job, GenerationFailed(why))

    def _drop(self, sequence: Sequence[SequenceInputs]) -> None:
        del self._requests[sequence]
        self._scheduler.end(sequence)
        self._runner.leave(sequence)

    def _emit_positions(self, output: StepOutput) -> None:
        position = 0
        for sequence in self._scheduler.waiting():
            request = self._requests[sequence]
            if request.begun_at is None:  # preempted ones have started already
                position += 1
                if request.position != position:
                    request.position = position
                    output.emit(request.job, Queued(position))


def _at_fault(plan: Plan[SequenceInputs], exc: Exception) -> set[Sequence[SequenceInputs]]:
    """Return the sequences to fail after a failed step: the one that the runner names, if any.

    Otherwise a prefill is the likely cause: fail those and retry the decodes alone, or fail the
    decodes if there was no prefill.
    """
    if isinstance(exc, SequenceFailed):
        return {exc.sequence}
    return {chunk.sequence for chunk in plan.chunks} or {*plan.decodes}


class _RunningRequest:
    """A request that waits or runs, and its answer so far."""

    def __init__(self, job: Job, prompt: Prompt, text: AnswerText) -> None:
        self.job = job
        self.prompt = prompt
        self.text = text
        self.token_ids: list[int] = []
        self.emitted = ""
        self.new_tokens = 0
        self.position: int | None = None
        self.begun_at: float | None = None
        self.first_token_at: float | None = None
