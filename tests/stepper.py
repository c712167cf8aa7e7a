"""A backend that a test steps by hand, and the events it emits."""

from __future__ import annotations

from inference.backends.batching import BatchingBackend
from inference.errors import InferenceError
from inference.prompts.prompt import Prompt
from inference.serving.backend import Job
from inference.types import Finished, GenerationEvent, GenerationRequest, TextDelta


class Stepper:
    """Implements `inference.serving.backend.StepOutput`."""

    def __init__(self, backend: BatchingBackend) -> None:
        self.backend = backend
        self.said: dict[Job, list[GenerationEvent | InferenceError]] = {}
        self.prompts: dict[Job, Prompt] = {}
        self.tokens: dict[Job, list[int]] = {}
        """Tokens of each answer, without the one that ends it."""

    def ask(self, request: GenerationRequest) -> Job:
        job = Job(request)
        self.prompts[job] = self.backend.prompt_of(request)
        self.said[job] = []
        self.backend.add(self.prompts[job], job)
        answers = self.backend._requests.values()
        self.tokens[job] = next(answer.token_ids for answer in answers if answer.job is job)
        return job

    def step(self, steps: int = 1) -> None:
        for _ in range(steps):
            if self.backend.is_busy:
                self.backend.step(self)

    def run(self) -> None:
        while self.backend.is_busy:
            self.backend.step(self)

    def emit(self, job: Job, event: GenerationEvent | InferenceError) -> None:
        self.said[job].append(event)

    def flush(self) -> None: ...

    def admit_new(self) -> None: ...

    def text(self, job: Job) -> str:
        return "".join(event.text for event in self.said[job] if isinstance(event, TextDelta))

    def finished(self, job: Job) -> Finished:
        last = self.said[job][-1]
        assert isinstance(last, Finished), last
        return last
