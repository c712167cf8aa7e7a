"""The password of the playground, compared in constant time and guessed slowly.

Wrong passwords make their sender wait, and while one waits nothing is compared. Several people may
share an address, so a browser that has known the password is a sender of its own: the cookie of its
session says so, and another's guesses do not shut it out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from bot.platforms.listening.guesses import Guesses
from bot.platforms.listening.senders import Senders
from bot.platforms.web.person.sessions import Sessions

MAX_ENCODED: Final = 2000
"""Characters of user name and password, encoded."""


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """Why a request has no access: no password or a wrong one, or it has to wait for `wait_s`."""

    wait_s: int = 0


class Password:
    """Checks requests. Lives as long as the playground listens."""

    def __init__(self, password: str, *, key: bytes, sessions: Sessions, senders: Senders) -> None:
        """`key`: a secret of this bot's, under which passwords are compared."""
        self._key = key
        self._sessions = sessions
        self._digest = self._digest_of(password.encode())
        self._senders = senders
        self._guesses = Guesses("the playground's password")

    def check(self, request: web.Request) -> NotAdmitted | None:
        """Whether a request may go on; `None`: it may."""
        if "Authorization" not in request.headers:
            return NotAdmitted()
        sender = self._sender(request)
        if wait_s := self._guesses.wait_s(sender):
            return NotAdmitted(wait_s)
        credentials = basic_credentials(request)
        # Digests have one length: comparing them tells nothing of the password's.
        given = self._digest_of(b"" if credentials is None else credentials[1])
        if credentials is None or not hmac.compare_digest(given, self._digest):
            self._guesses.failed(sender, given)
            return NotAdmitted()
        self._guesses.succeeded(sender)
        return None

    def _sender(self, request: web.Request) -> str:
        session = self._sessions.read(request)
        if session is None:
            return self._senders.of(request)
        return f"browser {self._digest_of(session.encode()).hex()[:16]}"  # may be logged

    def _digest_of(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")


def basic_credentials(request: web.Request) -> tuple[bytes, bytes] | None:
    """(user name, password) of HTTP Basic, if the request has any."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or len(encoded) > MAX_ENCODED:
        return None
    try:
        name, _, password = base64.b64decode(encoded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return name, password
