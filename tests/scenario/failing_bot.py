"""`llava-bot` on a device that fails: `python -m tests.scenario.failing_bot run …`."""

from __future__ import annotations

import sys
from unittest import mock

import torch

from bot.__main__ import main
from inference.execution.runner import SequenceInputs
from inference.execution.torch_runner import FinishedStep, TorchRunner
from inference.scheduling.sequences import Plan

STEPS = 20
"""The device lasts so long; the start takes a few of them."""


class FailingRunner(TorchRunner):
    """As a device with a sticky error: from some step on, whatever it is asked fails."""

    _left = STEPS

    def start(self, plan: Plan[SequenceInputs]) -> FinishedStep:
        """See `Runner.start`."""
        self._left -= 1
        self.check_device()
        return super().start(plan)

    def check_device(self) -> None:
        """See `Runner.check_device`."""
        if self._left < 0:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


if __name__ == "__main__":
    with mock.patch("inference.backends.assemble_batching.TorchRunner", FailingRunner):
        sys.exit(main())
