"""Who may see the admin's page: those who know its password, until they leave or the bot ends."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web
from cachetools import LRUCache

from bot.platforms.listening.guesses import Guesses
from bot.platforms.listening.senders import Senders
from bot.platforms.web.gate.origins import came_by_https
from bot.platforms.web.guard import HttpRefusal
from bot.platforms.web.person.sessions import Sessions

LASTS_S: Final = 12 * 3600
MAX_SESSIONS: Final = 64
"""The oldest ends first."""
FREE_FAILURES_AN_ADDRESS: Final = 50
"""Of all its browsers together: who makes themselves new ones gets no further."""


class AdminGate:
    """Compares the password and remembers who gave it. Lives as long as the playground.

    It is a password of its own beside the playground's: that one is the whole team's, and names
    given with it are claims.

    Many people may share an address, behind a proxy: a browser that has the playground's session is
    a sender of its own, so one who guesses does not shut out the others.
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
        self.visitors: Sessions | None = None
        """The playground's sessions, once it has any: it has none without a password."""
        self._guesses = Guesses("the admin's password", clock=clock)
        self._at_address = Guesses(
            "the admin's password", free=FREE_FAILURES_AN_ADDRESS, clock=clock
        )
        self._have_entered: LRUCache[str, None] = LRUCache(MAX_SESSIONS)
        """Browsers whom no other one at their address shuts out."""
        self._sessions: OrderedDict[bytes, float] = OrderedDict()

    def enter(self, request: web.Request, password: str) -> web.Response:
        """Begin a session. Raises: HttpRefusal: a wrong password, or too many of them."""
        sender = self._sender(request)
        bounds = list(self._bounds(sender, self._senders.of(request)))
        if wait_s := max(guesses.wait_s(of) for guesses, of in bounds):
            raise HttpRefusal(429, "http_guessing", wait_s=wait_s)
        given = self._digest_of(password)
        if not hmac.compare_digest(given, self._digest):
            for guesses, of in bounds:
                guesses.failed(of, given)
            raise HttpRefusal(403, "admin_wrong_password")
        self._guesses.succeeded(sender)
        self._have_entered[sender] = None
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

    def _sender(self, request: web.Request) -> str:
        address = self._senders.of(request)
        session = None if self.visitors is None else self.visitors.read(request)
        if session is None:
            return address
        return f"browser {self._digest_of(session).hex()[:16]} at {address}"  # may be logged

    def _bounds(self, sender: str, address: str) -> Iterator[tuple[Guesses, str]]:
        yield self._guesses, sender
        if sender not in self._have_entered:
            yield self._at_address, address

    def _session_of(self, request: web.Request) -> bytes:
        return self._digest_of(request.cookies.get(self._cookie, ""))

    def _digest_of(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "surrogateescape"), "sha256")
