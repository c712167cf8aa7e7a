"""The device a model runs on: choosing it, copying to it, running out of its memory."""

from __future__ import annotations

import ctypes
import os

import torch
from torch import Tensor

from inference.errors import ModelUnavailable


def device_of(wanted: str) -> torch.device:
    """Return the device that a setting names. Raises: ModelUnavailable."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ModelUnavailable(
            f"The device '{wanted}' is not usable here: set DEVICE to auto, cpu or a GPU "
            "that this machine has, for example cuda:0."
        ) from None
    return device


def use_expandable_segments(device: torch.device) -> None:
    """Let torch's memory segments on a GPU grow in place, which avoids fragmentation.

    Settings for torch's allocator in the environment take precedence.
    """
    if device.type == "cuda" and not {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"} & {
        *os.environ
    }:
        # If the newer function exists, the older one warns.
        newer = getattr(torch._C, "_accelerator_setAllocatorSettings", None)
        (newer or torch.cuda.memory._set_allocator_settings)("expandable_segments:True")


def trim_heap() -> None:
    """Return freed memory to the system, where the C library (glibc) would keep it for later."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy values to the device, without waiting for work that is in flight there."""
    if device.type != "cuda" or not values.numel():
        return values.to(device)
    pinned = values if values.is_pinned() else values.pin_memory()
    return pinned.to(device, non_blocking=True)


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether an error means that the device ran out of memory and is otherwise intact."""
    if isinstance(exc, torch.OutOfMemoryError):
        return True
    # cuBLAS takes its workspace, and the driver what a kernel needs, beside torch; on a CPU torch
    # has no exception of its own for it.
    marks = (
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDA_ERROR_OUT_OF_MEMORY",
        "CUDA error: out of memory",
        "DefaultCPUAllocator: can't allocate memory",
    )
    return any(mark in str(exc) for mark in marks)
