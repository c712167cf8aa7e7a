"""Why an adapter cannot listen, and which setting is to be changed."""

from __future__ import annotations

import errno

from bot.platforms.platform import PlatformUnavailable


def cannot_listen(
    who: str, host: str, port: int, exc: OSError, *, settings: str
) -> PlatformUnavailable:
    """The sentence for a failure to listen.

    `who`: what cannot, as a sentence begins. `settings`: how the names of its settings begin.
    """
    match exc.errno:
        case errno.EADDRINUSE:
            remedy = f"set {settings}PORT to a free port"
        case errno.EACCES:
            remedy = f"set {settings}PORT to a port that this user may open, from 1024 on"
        case _:
            remedy = f"set {settings}HOST to an address of this machine"
    reason = exc.strerror or type(exc).__name__
    return PlatformUnavailable(f"{who} cannot listen on {host}:{port} ({reason}): {remedy}.")
