"""What transformers' progress bar of a GGUF file counts, as reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import transformers
from transformers import modeling_gguf_pytorch_utils

from inference.progress import Phase, Progress, reported

WHAT = "the pocket model"


@contextmanager
def reporting_gguf(progress: Progress, total_bytes: int) -> Iterator[None]:
    """Report how much of a GGUF has been read within. Raises: LoadCancelled.

    It counts tensors, as `inference.backends.reporting` does. That bar obeys none of transformers'
    switches: its module has a `tqdm` of its own, which is replaced.
    """
    module: Any = modeling_gguf_pytorch_utils

    def bar(items: Iterable[Any], **_: object) -> Iterator[Any]:
        return reported(items, progress, Phase.BUILDING, what=WHAT, total_bytes=total_bytes)

    transformers.logging.disable_progress_bar()  # those of the checkpoint that is written
    before = module.tqdm
    module.tqdm = bar
    try:
        yield
    finally:
        module.tqdm = before
