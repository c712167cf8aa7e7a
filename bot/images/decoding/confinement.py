"""Takes away from a process what decoding a picture does not need.

A codec that a picture has taken over then finds no file to open, no socket to make, no program to
run and no process to signal, and ends at its limits of memory and time. What the system lacks is
left out, and said: on Linux all of it holds where the kernel has Landlock and seccomp; elsewhere
the limits hold, and that no descriptor is open.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
_EPERM = 1

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION_FLAG = 1
_FILES_BY_ABI = ((1, 0x1FFF), (2, 0x3FFF), (3, 0x7FFF), (5, 0xFFFF))
"""Every right over files that a version of Landlock knows (linux/landlock.h)."""
_TCP, _SIGNALS_AND_ABSTRACT_SOCKETS = 3, 3

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_FORBIDDEN: dict[str, tuple[int, int]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "bind": (49, 200),
    "listen": (50, 201),
    "connect": (42, 203),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "prlimit64": (302, 261),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
}
"""System calls by number, on x86-64 and on 64-bit Arm."""

_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_KILL, _ALLOW, _REFUSE = 0x80000000, 0x7FFF0000, 0x00050000 | _EPERM


class Confinement:
    """Prepared once, then applied in each forked process: that part takes microseconds.

    `kinds`: what there is here, by name.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._seccomp: ctypes.Array[ctypes.c_char] | None = None
        self._landlock_abi = 0
        if sys.platform == "linux":
            if (program := _seccomp_program(platform.machine())) is not None:
                self._seccomp = ctypes.create_string_buffer(program, len(program))
            self._landlock_abi = max(
                0, self._libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION_FLAG)
            )

    def apply(self, *, memory_bytes: int, processor_s: int) -> tuple[str, ...]:
        """Confine this process for good. Returns: what of it holds.

        Limits come first: the filter forbids to change them.
        """
        held: list[str] = []
        steps: Sequence[tuple[str, Callable[[], object]]] = (
            ("processor time", lambda: _limit(resource.RLIMIT_CPU, processor_s, processor_s + 1)),
            ("memory", lambda: _limit(resource.RLIMIT_AS, memory_bytes)),
            ("written files", lambda: _limit(resource.RLIMIT_FSIZE, 0)),
            ("core dumps", lambda: _limit(resource.RLIMIT_CORE, 0)),
            ("descriptors", lambda: _limit(resource.RLIMIT_NOFILE, 16)),
            ("life", self._die_with_parent),
            ("files", self._close_files),
            ("system calls", self._filter_system_calls),
        )
        for name, step in steps:
            try:
                step()
            except (OSError, ValueError):
                continue
            held.append(name)
        return tuple(held)

    def _die_with_parent(self) -> None:
        if sys.platform != "linux":
            raise OSError
        self._prctl(_PR_SET_PDEATHSIG, _SIGKILL)

    def _close_files(self) -> None:
        """Landlock without a single rule: nothing can be opened, listed, made or removed."""
        if not self._landlock_abi:
            raise OSError
        rights = max(rights for abi, rights in _FILES_BY_ABI if abi <= self._landlock_abi)
        attributes = struct.pack("=Q", rights)
        if self._landlock_abi >= 4:
            attributes += struct.pack("=Q", _TCP)
        if self._landlock_abi >= 6:
            attributes += struct.pack("=Q", _SIGNALS_AND_ABSTRACT_SOCKETS)
        rules = self._libc.syscall(
            _LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0
        )
        if rules < 0:
            raise OSError(ctypes.get_errno(), "landlock")
        try:
            self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
            if self._libc.syscall(_LANDLOCK_RESTRICT_SELF, rules, 0):
                raise OSError(ctypes.get_errno(), "landlock")
        finally:
            os.close(rules)

    def _filter_system_calls(self) -> None:
        if self._seccomp is None:
            raise OSError
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
        instructions = len(self._seccomp) // 8
        program = struct.pack("@HxxxxxxP", instructions, ctypes.addressof(self._seccomp))
        self._prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)

    def _prctl(self, option: int, argument: int, pointer: bytes | None = None) -> None:
        if self._libc.prctl(option, ctypes.c_ulong(argument), pointer, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    resource.setrlimit(what, (soft, soft if hard is None else hard))


def _seccomp_program(machine: str) -> bytes | None:
    """A filter that refuses the calls above; of another architecture, it ends the process.

    Returns: BPF instructions of 8 bytes each (code, jumps if true and if false, a number).
    """
    architecture = _AUDIT_ARCH.get(machine)
    if architecture is None:
        return None
    column = 0 if machine == "x86_64" else 1
    numbers = sorted({numbers[column] for numbers in _FORBIDDEN.values()})
    code = [
        (_LOAD_WORD, 0, 0, 4),  # the architecture
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD_WORD, 0, 0, 0),  # the call's number
        (_JUMP_IF_AT_LEAST, len(numbers) + 1, 0, _X32_BIT),  # the same calls by other numbers
        *((_JUMP_IF_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
