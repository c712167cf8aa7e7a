"""Properties of the current GPU."""

from __future__ import annotations

import functools

import torch


@functools.cache
def multiprocessors(device_index: int) -> int:
    """Return how many streaming multiprocessors a device has."""
    return int(torch.cuda.get_device_properties(device_index).multi_processor_count)


def overlaps() -> bool:
    """Whether a kernel may start while the one before it finishes (programmatic dependent launch).

    Such a kernel waits (``griddepcontrol.wait``) before it reads what earlier kernels wrote, and
    signals when the next one may start (``griddepcontrol.launch_dependents``). What the next one
    does before it waits, above all loading a product's first weights, is free.
    Hopper and later.
    """
    return torch.cuda.is_available() and _is_hopper_or_later(torch.cuda.current_device())


@functools.cache
def _is_hopper_or_later(device_index: int) -> bool:
    return torch.cuda.get_device_capability(device_index) >= (9, 0)
