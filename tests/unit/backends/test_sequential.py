"""One request at a time: users take turns, however many requests one of them has."""

from __future__ import annotations

from collections.abc import Callable

from inference.backends.sequential import SequentialBackend
from inference.errors import InferenceError
from inference.serving.backend import Job
from inference.types import (
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    Queued,
    Role,
    Sampling,
)
from tests.engines import MODEL


class Recorder:
    """A model that notes who was served, and the output of the steps."""

    model: ModelInfo = MODEL

    def __init__(self) -> None:
        self.served: list[str] = []
        self.positions: dict[str, int] = {}

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return len(messages)

    def clear_caches(self) -> None: ...

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        del on_text
        self.served.append(request.messages[0].text)
        cancelled()
        return Finished(
            reason=FinishReason.STOP, prompt_tokens=1, new_tokens=1, first_token_s=0, total_s=0
        )

    def emit(self, job: Job, event: GenerationEvent | InferenceError) -> None:
        if isinstance(event, Queued):
            self.positions[job.request.messages[0].text] = event.position

    def flush(self) -> None: ...

    def admit_new(self) -> None: ...


def request(user: str, number: int = 1, *, background: bool = False) -> GenerationRequest:
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=f"{user}{number}"),),
        sampling=Sampling(),
        user_id=user,
        background=background,
    )


def added(backend: SequentialBackend, *requests: GenerationRequest) -> list[Job]:
    jobs = [Job(one) for one in requests]
    for job in jobs:
        backend.prepare(job.request)(job)
    return jobs


def test_users_take_turns_and_learn_their_positions() -> None:
    recorder = Recorder()
    backend = SequentialBackend(recorder)
    added(backend, *(request("ann", number) for number in range(1, 4)))
    added(backend, request("bob"), request("cid"))
    backend.step(recorder)
    assert recorder.served == ["ann1"]
    assert recorder.positions == {"bob1": 1, "cid1": 2, "ann2": 3, "ann3": 4}
    while backend.is_busy:
        backend.step(recorder)
    assert recorder.served == ["ann1", "bob1", "cid1", "ann2", "ann3"]


def test_a_user_who_comes_later_waits_for_one_request_of_a_flood() -> None:
    recorder = Recorder()
    backend = SequentialBackend(recorder)
    added(backend, *(request("ann", number) for number in range(500)))
    for _ in range(3):
        backend.step(recorder)
    added(backend, request("bob"))
    for _ in range(2):
        backend.step(recorder)
    assert recorder.served == ["ann0", "ann1", "ann2", "ann3", "bob1"]


def test_a_user_with_many_requests_is_not_put_off_by_every_new_user() -> None:
    recorder = Recorder()
    backend = SequentialBackend(recorder)
    added(backend, *(request("ann", number) for number in range(3)))
    for number in range(9):
        added(backend, request(f"user {number} "))
        backend.step(recorder)
    assert [served for served in recorder.served if served.startswith("ann")] == [
        "ann0",
        "ann1",
        "ann2",
    ]


def test_one_that_gave_up_is_passed_over() -> None:
    recorder = Recorder()
    backend = SequentialBackend(recorder)
    first, _ = added(backend, request("ann"), request("bob"))
    first.cancelled = True
    while backend.is_busy:
        backend.step(recorder)
    assert recorder.served == ["bob1"]


def test_background_requests_come_after_all_others_and_put_nobody_off() -> None:
    recorder = Recorder()
    backend = SequentialBackend(recorder)
    added(backend, *(request("api", number, background=True) for number in range(2)))
    added(backend, *(request("ann", number) for number in range(2)))
    backend.step(recorder)
    assert recorder.positions == {"ann1": 1, "api0": 2, "api1": 3}
    added(backend, request("bob"), request("api", 2, background=True))
    for _ in range(3):
        backend.step(recorder)
    added(backend, request("cid"))
    while backend.is_busy:
        backend.step(recorder)
    assert recorder.served == ["ann0", "ann1", "bob1", "api0", "cid1", "api1", "api2"]
