"""Whether the playground can listen where its settings say."""

from __future__ import annotations

import contextlib
import errno
import socket

from filelock import FileLock, Timeout

from bot.configuration import Configuration
from bot.platforms.findings import Finding
from bot.platforms.web.settings import PlaygroundSettings, is_loopback
from inference.failures import in_one_line


def listening(configuration: Configuration) -> list[Finding]:
    """Address, port, and who can reach it."""
    settings = configuration.of(PlaygroundSettings)
    host, port = settings.host, settings.port
    reach = "for this machine only" if is_loopback(host) else "for others, with a password"
    where = f"{host}, port {port or 'any that is free'}"
    if _runs(configuration):
        return [Finding(f"a bot is running here; its playground is set to {where} ({reach})")]
    try:
        _listen(host, port)
    except OSError as exc:
        return [Finding(f"the playground cannot listen on {where}", _fix(exc))]
    return [Finding(f"the playground can listen on {where} ({reach})")]


def _listen(host: str, port: int) -> None:
    """Raises: OSError, as a start would get it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as listener:
            # As the server does: the last bot's closed connections are in nobody's way.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)


def _fix(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return "set PLAYGROUND_HOST to 127.0.0.1, 0.0.0.0 or an address of this machine."
    match exc.errno:
        case errno.EADDRINUSE:
            return "stop what uses the port, or set PLAYGROUND_PORT to another."
        case errno.EACCES:
            return "set PLAYGROUND_PORT to 1024 or more: lower ones are the administrator's."
        case errno.EADDRNOTAVAIL:
            return "set PLAYGROUND_HOST to an address of this machine: that one is not."
        case _:
            return f"set PLAYGROUND_HOST and PLAYGROUND_PORT to others ({in_one_line(exc)})."


def _runs(configuration: Configuration) -> bool:
    """Whether a bot holds the folder, and so probably the port."""
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
