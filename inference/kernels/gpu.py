"""Properties of the current GPU."""

from __future__ import annotations

import functools

import torch


@functools.cache
def multiprocessors(device_index: int) -> int:
    """Return how many streaming multiprocessors a device has."""
    return int(torch.cuda.get_device_properties(device_index).multi_processor_count)


@functools.cache
def architecture(device_index: int) -> str:
    """Return a device's architecture as compilers call it: ``sm_90``."""
    major, minor = torch.cuda.get_device_capability(device_index)
    return f"sm_{major}{minor}"


@functools.cache
def has_large_shared_memory(device_index: int) -> bool:
    """Whether two blocks with 65 KB of shared memory each are resident on a multiprocessor.

    They are on an A100 and an H100, and not on consumer cards, which have 100 KB.
    """
    properties = torch.cuda.get_device_properties(device_index)
    return int(properties.shared_memory_per_multiprocessor) >= 160 * 1024


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
