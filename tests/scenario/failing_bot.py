"""`llava-bot` on a device that fails: `python -m tests.scenario.failing_bot run …`."""

from __future__ import annotations

import sys
from typing import Any

import torch

from bot.__main__ import main
from inference.runner import TorchRunner
from inference.scheduler import Plan

STEPS = 20
"""The device lasts so long; the start takes a few of them."""


def fail_after(steps: int) -> None:
    """Let the runner's steps fail, once there have been so many."""
    start = TorchRunner.start
    left = steps

    def failing(self: TorchRunner, plan: Plan) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        return start(self, plan)

    TorchRunner.start = failing  # type: ignore[method-assign]


if __name__ == "__main__":
    fail_after(STEPS)
    sys.exit(main())
