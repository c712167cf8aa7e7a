"""Whether the bot can listen where its settings say."""

from __future__ import annotations

import contextlib
import errno
import socket

from filelock import FileLock, Timeout

from bot.configuration import Configuration
from bot.platforms.findings import Finding
from inference.failures import in_one_line


def can_listen(
    what: str, host: str, port: int, *, settings: str, configuration: Configuration
) -> Finding:
    """Try an address and a port as a start would.

    Args:
        what: what listens there, as a sentence calls it.
        settings: what the names of its settings begin with (`PLAYGROUND_`).
    """
    where = f"{host}, port {port or 'any that is free'}"
    if runs(configuration):
        return Finding(f"a bot is running here; {what} is set to {where}")
    try:
        _listen(host, port)
    except OSError as exc:
        return Finding(f"{what} cannot listen on {where}", remedy(exc, settings))
    return Finding(f"{what} can listen on {where}")


def _listen(host: str, port: int) -> None:
    """Raises: OSError, as a start would get it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as listener:
            # As the server does: the last bot's closed connections are in nobody's way.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)


def remedy(exc: OSError, settings: str) -> str:
    """What to do about a failure to listen."""
    if isinstance(exc, socket.gaierror):
        return f"set {settings}HOST to 127.0.0.1, 0.0.0.0 or an address of this machine."
    match exc.errno:
        case errno.EADDRINUSE:
            return f"stop what uses the port, or set {settings}PORT to another."
        case errno.EACCES:
            return f"set {settings}PORT to 1024 or more: lower ones are the administrator's."
        case errno.EADDRNOTAVAIL:
            return f"set {settings}HOST to an address of this machine: that one is not."
        case _:
            return f"set {settings}HOST and {settings}PORT to others ({in_one_line(exc)})."


def runs(configuration: Configuration) -> bool:
    """Whether a bot holds the folder, and so probably its ports."""
    path = configuration.bot.data_dir / "run.lock"
    if not path.exists():
        return False
    lock = FileLock(path)
    with contextlib.suppress(OSError, NotImplementedError):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
    return False
