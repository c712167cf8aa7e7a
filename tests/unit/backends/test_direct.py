"""Answers that are found without the language model go through the same backend."""

from __future__ import annotations

import pytest

from inference.backends.direct import DirectBackend
from inference.errors import ContextExceeded, InferenceError
from inference.serving.backend import AddJob, Job, StepOutput, run_inline
from inference.types import (
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    Role,
    Sampling,
    Started,
    TextDelta,
)

MODEL = ModelInfo(
    name="m",
    family="f",
    context_tokens=100,
    max_pictures=4,
    sampling=Sampling(),
    device="cpu",
    weights="float32",
)


class Below:
    """Stands for the language model's backend; says what it was asked."""

    max_running = 1
    prepares = True
    model = MODEL

    def __init__(self) -> None:
        self.waiting: list[tuple[Job, str]] = []
        self.cleared = 0

    @property
    def is_busy(self) -> bool:
        return bool(self.waiting)

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return len(messages[-1].text.split())

    def prepare(self, request: GenerationRequest) -> AddJob:
        return lambda job: self.waiting.append((job, request.messages[-1].text))

    def step(self, output: StepOutput) -> None:
        job, text = self.waiting.pop()
        output.emit(job, Started())
        output.emit(job, TextDelta(f"the model: {text}"))
        reason = FinishReason.STOP
        output.emit(
            job,
            Finished(reason=reason, prompt_tokens=1, new_tokens=1, first_token_s=0, total_s=0),
        )

    def clear_caches(self, output: StepOutput | None = None) -> None:
        self.cleared += 1


class Found:
    """Finds an answer to what ends in a question mark; hands on the rest in other words."""

    forgotten = 0

    def answer(self, messages: tuple[Message, ...]) -> str | tuple[Message, ...]:
        text = messages[-1].text
        if "broken" in text:
            raise OSError("cannot look")
        if text.endswith("?"):
            return "It is a cat."
        return (Message(role=Role.USER, text=text.upper()),)

    def forget(self) -> None:
        self.forgotten += 1


class Letters:
    """A tokenizer whose tokens are letters."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(letter) for letter in text]

    def decode(self, tokens: list[int]) -> str:
        return "".join(map(chr, tokens))


@pytest.fixture
def backend() -> DirectBackend:
    return DirectBackend(Below(), Found(), Letters())


def asked(
    text: str, sampling: Sampling | None = None, stop: tuple[str, ...] = ()
) -> GenerationRequest:
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=text),), sampling=sampling or Sampling(), stop=stop
    )


def said(events: list[GenerationEvent]) -> tuple[str, Finished]:
    last = events[-1]
    assert isinstance(last, Finished)
    return "".join(e.text for e in events if isinstance(e, TextDelta)), last


def test_a_found_answer_is_given_at_once(backend: DirectBackend) -> None:
    events = run_inline(backend, asked("What is this?"))
    assert isinstance(events[0], Started)
    text, finished = said(events)
    assert text == "It is a cat."
    assert finished.reason is FinishReason.STOP
    assert (finished.prompt_tokens, finished.new_tokens) == (3, len(text))
    assert not backend.is_busy


def test_what_is_not_found_is_handed_on(backend: DirectBackend) -> None:
    assert said(run_inline(backend, asked("write a poem")))[0] == "the model: WRITE A POEM"


def test_a_look_that_fails_leaves_the_question_to_the_model(backend: DirectBackend) -> None:
    assert said(run_inline(backend, asked("broken?")))[0] == "the model: broken?"


def test_a_benchmark_measures_the_model(backend: DirectBackend) -> None:
    text, _ = said(run_inline(backend, asked("What?", Sampling(ignore_eos=True))))
    assert text == "the model: What?"


def test_an_answer_is_cut_where_the_request_says(backend: DirectBackend) -> None:
    text, finished = said(run_inline(backend, asked("What?", Sampling(max_new_tokens=5))))
    assert (text, finished.reason, finished.new_tokens) == ("It is", FinishReason.LENGTH, 5)
    text, finished = said(run_inline(backend, asked("What?", stop=(" a", "cat"))))
    assert (text, finished.reason) == ("It is", FinishReason.STOP)


def test_a_conversation_too_long_for_the_model_is_too_long_here(backend: DirectBackend) -> None:
    with pytest.raises(ContextExceeded):
        backend.prepare(asked("word " * 100 + "?"))


def test_a_stopped_question_gets_no_answer(backend: DirectBackend) -> None:
    request = asked("What?")
    job = Job(request)
    backend.prepare(request)(job)
    assert backend.is_busy
    job.cancelled = True
    events: list[GenerationEvent | InferenceError] = []

    class Output:
        def emit(self, _job: Job, event: GenerationEvent | InferenceError) -> None:
            events.append(event)

        def flush(self) -> None: ...

        def admit_new(self) -> None: ...

    backend.step(Output())
    (last,) = [event for event in events if isinstance(event, Finished)]
    assert last.reason is FinishReason.ABORTED
    assert not any(isinstance(event, TextDelta) for event in events)


def test_what_is_kept_of_pictures_is_erased_with_the_caches() -> None:
    below, found = Below(), Found()
    DirectBackend(below, found, Letters()).clear_caches()
    assert (below.cleared, found.forgotten) == (1, 1)
