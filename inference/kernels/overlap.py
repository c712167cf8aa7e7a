"""Let a kernel begin while the one before it ends (programmatic dependent launch, Hopper on).

A kernel that is launched so must wait (`gdc_wait`) before it reads what others have written, and
says itself when the next one may begin (`gdc_launch_dependents`): what those prepare meanwhile,
above all the first weights of a product, costs nothing.
"""

from __future__ import annotations

import functools

import torch
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

__all__ = ["gdc_launch_dependents", "gdc_wait", "overlaps"]


@functools.cache
def overlaps() -> bool:
    """Whether the current device can."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (9, 0)
