"""Who may see the admin's page: those who know its password, until they leave or the bot ends."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from aiohttp import web

from bot.platforms.listening.guesses import Guesses
from bot.platforms.listening.senders import Senders
from bot.platforms.web.gate.origins import came_by_https
from bot.platforms.web.guard import HttpRefusal

LASTS_S: Final = 12 * 3600
MAX_SESSIONS: Final = 64
"""The oldest ends first."""


class AdminGate:
    """Compares the password and remembers who gave it. Lives as long as the playground.

    It is a password of its own beside the playground's: that one is the whole team's, and names
    given with it are claims.
    """

    def __init__(
        self, password: str, *, senders: Senders, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key = secrets.token_bytes(32)
        # Browsers share cookies between the ports of a host: another bot's stays as it is.
        self._cookie = f"llava_bot_admin_{self._digest_of('cookie').hex()[:8]}"
        self._digest = self._digest_of(password)
        self._senders = senders
        self._clock = clock
        self._guesses = Guesses("the admin's password")
        self._sessions: OrderedDict[bytes, float] = OrderedDict()

    def enter(self, request: web.Request, password: str) -> web.Response:
        """Begin a session. Raises: HttpRefusal: a wrong password, or too many of them."""
        sender = self._senders.of(request)
        if wait_s := self._guesses.wait_s(sender):
            raise HttpRefusal(429, "http_guessing", wait_s=wait_s)
        given = self._digest_of(password)
        if not hmac.compare_digest(given, self._digest):
            self._guesses.failed(sender, given)
            raise HttpRefusal(403, "admin_wrong_password")
        self._guesses.succeeded(sender)
        token = secrets.token_urlsafe(32)
        self._sessions[self._digest_of(token)] = self._clock() + LASTS_S
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        response = web.Response(status=204)
        response.set_cookie(
            self._cookie,
            token,
            max_age=LASTS_S,
            path="/api/admin",
            secure=came_by_https(request),
            httponly=True,
            samesite="Strict",
        )
        return response

    def leave(self, request: web.Request) -> web.Response:
        """End the session, if there is one."""
        self._sessions.pop(self._session_of(request), None)
        response = web.Response(status=204)
        response.del_cookie(self._cookie, path="/api/admin")
        return response

    def check(self, request: web.Request) -> None:
        """Raises: HttpRefusal: the request is of no session, or of one that has ended."""
        session = self._session_of(request)
        if self._sessions.get(session, float("-inf")) <= self._clock():
            self._sessions.pop(session, None)
            raise HttpRefusal(403, "admin_password_needed")

    def _session_of(self, request: web.Request) -> bytes:
        return self._digest_of(request.cookies.get(self._cookie, ""))

    def _digest_of(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "surrogateescape"), "sha256")
