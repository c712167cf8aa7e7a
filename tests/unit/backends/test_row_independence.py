"""Where a row's results depend on how many others there are, nothing is proposed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

from inference.backends.batching import BatchingBackend
from inference.execution.row_independence import fewest_rows
from inference.execution.torch_runner import TorchRunner
from tests.stepper import Stepper
from tests.unit.backends.fast_path import asking, user
from tests.unit.backends.test_speculation import load


@pytest.fixture(scope="module")
def backend(tiny_checkpoint: Callable[[str], Path]) -> BatchingBackend:
    return load(tiny_checkpoint("llava-1.5"))


def runner_of(backend: BatchingBackend) -> TorchRunner:
    """A runner of the backend's model, made anew."""
    old = backend._runner
    assert isinstance(old, TorchRunner)
    return TorchRunner(old._decoder, old._vision, old.cache, old._processors)


@pytest.mark.parametrize(
    ("added", "fewest"),
    [
        pytest.param(lambda _rows: 0.0, 1, id="independent"),
        pytest.param(lambda rows: 1e-3 * (rows == 1), 2, id="one alone differs"),
        pytest.param(lambda rows: 1e-3 * rows, None, id="dependent"),
        pytest.param(lambda rows: 1e-3 * (rows > 8), None, id="above eight"),
    ],
)
def test_the_start_finds_from_how_many_rows_on_results_are_the_same(
    backend: BatchingBackend,
    monkeypatch: pytest.MonkeyPatch,
    added: Callable[[int], float],
    fewest: int | None,
) -> None:
    decoder = runner_of(backend)._decoder
    head = decoder.head
    rows: list[int] = []

    def multiply(x: Tensor) -> Tensor:
        rows.append(len(x))
        return head(x) + added(len(x))

    monkeypatch.setattr(decoder, "head", multiply)
    assert fewest_rows(decoder, backend._runner.cache, 16) == fewest
    runner = runner_of(backend)
    assert (runner.row_costs is None) == (fewest is None)
    monkeypatch.setattr(backend, "_runner", runner)
    monkeypatch.setattr(backend._scheduler, "_proposer", None)
    rows.clear()
    stepper = Stepper(backend)
    job = stepper.ask(asking(user("Hello"), tokens=6))
    stepper.run()
    assert stepper.finished(job).new_tokens >= 1
    assert set(rows) == {fewest or 1}
