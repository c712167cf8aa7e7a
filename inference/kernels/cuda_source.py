"""CUDA C++ compiled at run time, once per machine: later starts load the cached binaries.

NVRTC and the driver are called through NVIDIA's own bindings, a dependency of torch's CUDA builds.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from inference.kernels.gpu import overlaps


class KernelUnavailable(Exception):
    """The kernel cannot be compiled or loaded here; `str(exc)` says why."""


def _checked(result: tuple[Any, ...], doing: str) -> Any:
    """Return a call's results without its status. Raises: KernelUnavailable."""
    status, *rest = result
    if int(status) != 0:
        raise KernelUnavailable(f"{doing}: {status.name}")
    return rest[0] if len(rest) == 1 else tuple(rest)


def compile_source(source: Path, macros: Mapping[str, int], cache_dir: Path) -> bytes:
    """Compile a source file for the current device, or load its binary from the cache.

    Args:
        source: a ``.cu`` file.
        macros: defined while compiling.
        cache_dir: created if it does not exist.

    Raises:
        KernelUnavailable: NVRTC is missing or reports an error.
    """
    try:
        from cuda.bindings import nvrtc

        version = _checked(nvrtc.nvrtcVersion(), "asking NVRTC for its version")
    except (ImportError, OSError, RuntimeError) as exc:
        raise KernelUnavailable(f"NVRTC is missing ({exc})") from None
    text = source.read_text()
    major, minor = torch.cuda.get_device_capability()
    options = [f"--gpu-architecture=sm_{major}{minor}", "--std=c++17"]
    options += [f"-D{name}={value}" for name, value in sorted(macros.items())]
    digest = hashlib.sha256(repr((text, options, version)).encode()).hexdigest()[:32]
    kept = cache_dir / f"{source.stem}-{digest}.cubin"
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    program = _checked(
        nvrtc.nvrtcCreateProgram(text.encode(), source.name.encode(), 0, None, None),
        f"reading {source.name}",
    )
    try:
        arguments = [option.encode() for option in options]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(arguments), arguments)
        if int(status) != 0:
            size = _checked(nvrtc.nvrtcGetProgramLogSize(program), "reading NVRTC's log")
            log = b" " * size
            nvrtc.nvrtcGetProgramLog(program, log)
            raise KernelUnavailable(f"{source.name} does not compile: {log.decode()[:2000]}")
        size = _checked(nvrtc.nvrtcGetCUBINSize(program), "measuring the binary")
        binary = b" " * size
        _checked(nvrtc.nvrtcGetCUBIN(program, binary), "reading the binary")
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    with contextlib.suppress(OSError):  # without a writable folder the next start compiles again
        cache_dir.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{kept.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            part.write_bytes(binary)
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)
    return binary


class Kernel:
    """One function of a loaded binary, on the device that was current when it was loaded."""

    def __init__(self, binary: bytes, name: str, *, shared_bytes: int = 0) -> None:
        """Load it. Raises: KernelUnavailable."""
        from cuda.bindings import driver

        torch.cuda.current_stream()  # we use torch's context; make sure there is one
        torch.cuda.synchronize()
        self._driver = driver
        self._module = _checked(driver.cuModuleLoadData(binary), f"loading {name}")
        self._function = _checked(
            driver.cuModuleGetFunction(self._module, name.encode()), f"looking for {name}"
        )
        self._shared_bytes = shared_bytes
        if shared_bytes:  # static and dynamic together, more than 48 KB needs opting in
            limit = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            _checked(
                driver.cuFuncSetAttribute(self._function, limit, shared_bytes),
                f"{name} wants {shared_bytes} bytes of shared memory",
            )

    def blocks_per_multiprocessor(self, threads: int) -> int:
        """Return how many blocks of `threads` threads are resident at once."""
        return int(
            _checked(
                self._driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
                    self._function, threads, self._shared_bytes
                ),
                "asking for the occupancy",
            )
        )

    def launch(
        self,
        grid: tuple[int, int, int],
        threads: int,
        arguments: Sequence[torch.Tensor | int],
        *,
        overlapping: bool = False,
    ) -> None:
        """Launch on torch's current stream; pass tensors as addresses and ints as C ints.

        Args:
            grid: blocks in x, y and z.
            threads: per block.
            arguments: the kernel's; an empty tensor becomes a null pointer.
            overlapping: the kernel waits for the one before it itself (griddepcontrol.wait), so it
                may start while that one finishes.
        """
        driver = self._driver
        values = tuple(
            argument.data_ptr() if isinstance(argument, torch.Tensor) else argument
            for argument in arguments
        )
        types = tuple(
            ctypes.c_void_p if isinstance(argument, torch.Tensor) else ctypes.c_int
            for argument in arguments
        )
        config = driver.CUlaunchConfig()
        config.gridDimX, config.gridDimY, config.gridDimZ = grid
        config.blockDimX, config.blockDimY, config.blockDimZ = threads, 1, 1
        config.sharedMemBytes = self._shared_bytes
        config.hStream = torch.cuda.current_stream().cuda_stream
        if overlapping and overlaps():
            attribute = driver.CUlaunchAttribute()
            attribute.id = (
                driver.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
            )
            attribute.value.programmaticStreamSerializationAllowed = 1
            config.attrs = [attribute]
            config.numAttrs = 1
        _checked(driver.cuLaunchKernelEx(config, self._function, (values, types), 0), "launching")
