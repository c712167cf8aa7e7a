"""What the current GPU is like."""

from __future__ import annotations

import functools

import torch


@functools.cache
def multiprocessors(device_index: int) -> int:
    """How many a device has."""
    return int(torch.cuda.get_device_properties(device_index).multi_processor_count)


def overlaps() -> bool:
    """Whether a kernel may begin while the one before it ends (programmatic dependent launch).

    A kernel that is launched so waits (``griddepcontrol.wait``) before it reads what others have
    written, and says itself when the next one may begin (``griddepcontrol.launch_dependents``):
    what that prepares meanwhile, above all the first weights of a product, costs nothing.
    Hopper and later.
    """
    return torch.cuda.is_available() and _is_hopper_or_later(torch.cuda.current_device())


@functools.cache
def _is_hopper_or_later(device_index: int) -> bool:
    return torch.cuda.get_device_capability(device_index) >= (9, 0)
