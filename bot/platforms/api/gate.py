"""Admits requests by their key, and those who guess keys slowly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.platforms.api.errors import ApiRefusal
from bot.platforms.api.keys import MAX_CHARACTERS, Keys
from bot.platforms.listening.guesses import Guesses
from bot.platforms.listening.senders import Senders

KEY_NAME = web.RequestKey("key_name", str)
"""The name of the key that a request came with."""


def gate(keys: Keys, senders: Senders) -> Middleware:
    """Refuse requests without one of the keys."""
    guesses = Guesses("the API's keys")

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = _bearer(request)
        if given is None:
            raise ApiRefusal(401, "api_no_key", code="invalid_api_key")
        sender = senders.of(request)
        name = keys.name_of(given) if len(given) <= MAX_CHARACTERS else None
        # A right key is let in whatever others guess at its address; keys are too long to be found.
        if name is None and (wait_s := guesses.wait_s(sender)):
            raise ApiRefusal(
                429, "api_guessing", code="rate_limit_exceeded", retry_s=wait_s, wait_s=wait_s
            )
        if name is None:
            guesses.failed(sender, keys.digest_of(given))
            raise ApiRefusal(401, "api_wrong_key", code="invalid_api_key")
        guesses.succeeded(sender)
        request[KEY_NAME] = name
        return await handler(request)

    return middleware


def _bearer(request: web.Request) -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None
