"""The device that a model runs on."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from inference.errors import ModelUnavailable


def device_of(wanted: str) -> torch.device:
    """The device that a setting names. Raises: ModelUnavailable."""
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


def keep_memory_whole(device: torch.device) -> None:
    """Let torch's memory on a GPU grow in place; pieces that nothing fits would be lost otherwise.

    What the environment says of torch's allocator is left as it is.
    """
    if device.type == "cuda" and not {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"} & {
        *os.environ
    }:
        # The older name warns where there is the newer one.
        newer = getattr(torch._C, "_accelerator_setAllocatorSettings", None)
        (newer or torch.cuda.memory._set_allocator_settings)("expandable_segments:True")


def sent(values: Tensor, device: torch.device) -> Tensor:
    """The values on the device; the host does not wait until what is under way there is done."""
    if device.type != "cuda" or not values.numel():
        return values.to(device)
    pinned = values if values.is_pinned() else values.pin_memory()
    return pinned.to(device, non_blocking=True)


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether an error says that the device's memory did not suffice, and no more than that."""
    if isinstance(exc, torch.OutOfMemoryError):
        return True
    # cuBLAS takes its workspace, and the driver what a kernel needs, beside torch.
    marks = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDA_ERROR_OUT_OF_MEMORY", "CUDA error: out of memory")
    return any(mark in str(exc) for mark in marks)
