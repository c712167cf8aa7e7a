"""A device that fails on command: an order is a file in the folder `CHAOS_ORDERS`.

Its name is ``kind=value=process``: a start's warm-up is over before an order names its process.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import torch

from inference.execution.runner import SequenceInputs
from inference.execution.torch_runner import FinishedStep, TorchRunner
from inference.scheduling.sequences import Plan

EXCEPTION, OUT_OF_MEMORY, HANG, DEVICE_LOST = "exception", "out-of-memory", "hang", "device-lost"


class ChaosRunner(TorchRunner):
    """The real runner, which takes the next order before a step."""

    _is_lost = False

    def start(self, plan: Plan[SequenceInputs]) -> FinishedStep:
        """See `Runner.start`."""
        for order in sorted(Path(os.environ["CHAOS_ORDERS"]).iterdir()):
            kind, value, process = order.name.split("=")
            if process != str(os.getpid()):
                continue
            with contextlib.suppress(FileNotFoundError):
                order.unlink()
            self._obey(kind, value)
        self.check_device()
        return super().start(plan)

    def check_device(self) -> None:
        """See `Runner.check_device`."""
        if self._is_lost:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def _obey(self, kind: str, value: str) -> None:
        if kind == EXCEPTION:
            raise RuntimeError("chaos")
        if kind == OUT_OF_MEMORY:
            raise torch.OutOfMemoryError("chaos")
        if kind == HANG:
            time.sleep(float(value))
        if kind == DEVICE_LOST:
            self._is_lost = True
