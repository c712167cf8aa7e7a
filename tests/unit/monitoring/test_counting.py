"""Counting: exact from many threads, bounded in its labels, cheap."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from inference import metrics
from inference.errors import GenerationFailed
from inference.metrics import MAX_SERIES, Counter, Gauge, Histogram
from inference.serving import observed
from inference.serving.observed import Observation
from inference.types import Finished, FinishReason, Queued, Started, TextDelta


@pytest.fixture(autouse=True)
def _declared_for_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_declared", dict(metrics._declared))


def test_what_many_threads_count_at_once_is_all_counted() -> None:
    counter, histogram = Counter("c", "", ("kind",)), Histogram("h", "", bounds=(1, 2))

    def count() -> None:
        for _ in range(5_000):
            counter.add("one")
            histogram.observe(1.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read() == {("one",): 20_000}
    assert histogram.read_all().counts == (0, 20_000, 0)
    assert histogram.read_all().total == 30_000


def test_a_bucket_holds_what_is_at_most_its_bound() -> None:
    histogram = Histogram("h", "", bounds=(1, 2))
    for value in (0, 1, 1.1, 2, 3):
        histogram.observe(value)
    assert histogram.read_all().counts == (2, 2, 1)


def test_a_quantile_is_estimated_as_prometheus_does() -> None:
    histogram = Histogram("h", "", bounds=(1, 2, 4))
    assert histogram.read_all().quantile(0.5, histogram.bounds) is None
    for value in (0.5, 1.5, 1.5, 3):
        histogram.observe(value)
    before = histogram.read_all()
    assert before.quantile(0.5, histogram.bounds) == 1.5
    assert before.quantile(1, histogram.bounds) == 4
    histogram.observe(100)
    assert (histogram.read_all() - before).quantile(0.5, histogram.bounds) == 4


@pytest.mark.parametrize("words", ["was ist auf dem Bild?", "猫", "a\nb", "x" * 200, '"'])
def test_a_label_that_may_be_somebodys_words_says_other(words: str) -> None:
    counter = Counter("c", "", ("kind",))
    counter.add(words)
    assert counter.read() == {("other",): 1}


def test_series_beyond_the_bound_are_counted_together() -> None:
    counter = Counter("c", "", ("kind",))
    for number in range(MAX_SERIES + 50):
        counter.add(f"kind-{number}")
    assert len(counter.read()) == MAX_SERIES + 1
    assert counter.read()["other",] == 50


def test_a_name_is_given_once_and_labels_are_complete() -> None:
    counter = Counter("c", "", ("kind",))
    with pytest.raises(ValueError, match="two metrics"):
        Gauge("c", "")
    with pytest.raises(ValueError, match="has the labels"):
        counter.add()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_request_is_counted_from_its_arrival_to_its_end() -> None:
    clock = Clock()
    model = "one of the tests"
    with Observation(model, clock=clock) as observation:
        assert observed.WAITING.read()[model,] == 1
        observation.saw(Queued(1))
        clock.now = 3
        observation.saw(Started())
        assert (observed.WAITING.read()[model,], observed.RUNNING.read()[model,]) == (0, 1)
        for clock.now in (5, 5.5, 6):
            observation.saw(TextDelta("a"))
        clock.now = 7
        observation.saw(
            Finished(
                reason=FinishReason.STOP,
                prompt_tokens=100,
                new_tokens=3,
                cached_tokens=64,
                first_token_s=2,
                total_s=4,
            )
        )
    assert observed.RUNNING.read()[model,] == 0
    totals = (observed.QUEUE_S, observed.FIRST_TOKEN_S, observed.INTER_TOKEN_S, observed.LATENCY_S)
    assert [one.read()[model,].total for one in totals] == [3, 5, 1, 7]
    counts = (observed.PROMPT_TOKENS, observed.CACHE_HITS, observed.NEW_TOKENS)
    assert [one.read()[model,] for one in counts] == [100, 64, 3]
    assert (model,) not in observed.LEFT.read()


@pytest.mark.parametrize(
    ("exc", "counted"),
    [
        (
            GenerationFailed("x"),
            lambda model: observed.FAILED.read().get((model, "GenerationFailed")),
        ),
        (GeneratorExit(), lambda model: observed.LEFT.read().get((model,))),
    ],
)
def test_a_request_that_fails_or_is_left_waits_and_runs_no_more(
    exc: BaseException, counted: Callable[[str], float | None]
) -> None:
    model = f"one that ends with {type(exc).__name__}"

    def ask() -> None:
        with Observation(model) as observation:
            observation.saw(Started())
            raise exc

    with pytest.raises(type(exc)):
        ask()
    assert (observed.RUNNING.read()[model,], observed.WAITING.read()[model,]) == (0, 0)
    assert counted(model) == 1
