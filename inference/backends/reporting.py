"""What the libraries' progress bars count, as reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import transformers

from inference.progress import LoadProgress, Phase, Progress, reported

_BAR_OF_WEIGHTS = "Loading weights"


@contextmanager
def reporting_weights(progress: Progress, total_bytes: int) -> Iterator[None]:
    """Report how much of the weights transformers has loaded within.

    It counts tensors. Their mean size stands for each one's.

    Raises: LoadCancelled.
    """

    def bar(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs.get("desc") == _BAR_OF_WEIGHTS and args:
            return reported(args[0], progress, Phase.LOADING, total_bytes=total_bytes)
        return factory(*args, **kwargs)

    progress.report(LoadProgress(phase=Phase.LOADING, done_bytes=0, total_bytes=total_bytes))
    before = transformers.logging.set_tqdm_hook(bar)
    try:
        yield
    finally:
        transformers.logging.set_tqdm_hook(before)
