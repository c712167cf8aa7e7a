"""A visitor's session: an id in a signed cookie, the same after a restart."""

from __future__ import annotations

import hashlib
import secrets

from aiohttp import web
from itsdangerous import BadSignature, TimestampSigner

from bot.platforms.web.gate.origins import came_by_https

MAX_AGE_S = 400 * 24 * 3600
"""As long as browsers keep a cookie; counted from the last visit to the page."""


class Sessions:
    """Signs and reads the cookie. Who changes it becomes a new person, not an error."""

    def __init__(self, key: bytes) -> None:
        self._signer = TimestampSigner(key, salt="llava-bot.session", digest_method=hashlib.sha256)
        # Browsers share cookies between the ports of a host: another bot's must not be overwritten.
        self.cookie = f"llava_bot_{hashlib.sha256(key).hexdigest()[:8]}"

    def read(self, request: web.Request) -> str | None:
        """The id of the request's session; `None`: it has none of ours."""
        value = request.cookies.get(self.cookie, "")
        try:
            signed = value.encode("utf-8", "surrogateescape")
            # Its age is compared here: the signer refuses what seems to be from the future, and a
            # clock that is set back would take everybody's threads from them.
            session, signed_at = self._signer.unsign(signed, return_timestamp=True)
            age_s = self._signer.get_timestamp() - signed_at.timestamp()
            return session.decode() if age_s <= MAX_AGE_S else None
        except (BadSignature, UnicodeError):
            return None

    @staticmethod
    def new() -> str:
        """The id of a new session."""
        return secrets.token_urlsafe(16)

    def set(self, request: web.Request, response: web.StreamResponse, session: str) -> None:
        """Give the browser the cookie of a session."""
        response.set_cookie(
            self.cookie,
            self._signer.sign(session.encode()).decode(),
            max_age=MAX_AGE_S,
            path="/",
            secure=came_by_https(request),
            httponly=True,
            samesite="Lax",
        )

    def end(self, response: web.StreamResponse) -> None:
        """Take the cookie back."""
        response.del_cookie(self.cookie, path="/", httponly=True, samesite="Lax")
