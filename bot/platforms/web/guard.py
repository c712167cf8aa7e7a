"""Admits requests from the playground's own page, with the password if one is set."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.errors import UserFacingError, refusal_of
from bot.platforms.web.gate.origins import Hosts, is_cross_site
from bot.platforms.web.gate.passwords import Password
from bot.texts import say
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

HEADERS = {
    # What `default-src` does not cover stands beside it.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "private, no-cache",
    "Server": "llava-bot",
}


class HttpRefusal(UserFacingError):
    """Ends a request with a status and a sentence."""

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key, **values)
        self.status = status


def locale_of(request: web.Request) -> str:
    """The first language of Accept-Language."""
    return request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0].strip()


def refusal(request: web.Request, status: int, key: str, **values: object) -> web.Response:
    """A refusal as JSON, its sentence in the visitor's language.

    `wait_s` among the values also becomes `Retry-After`.
    """
    headers = {"Retry-After": str(values["wait_s"])} if "wait_s" in values else {}
    return web.json_response(
        {"error": say(locale_of(request), key, **values)}, status=status, headers=HEADERS | headers
    )


def guard(*, hosts: Hosts, password: Password | None) -> Middleware:
    """Refuse other sites' pages, foreign host names (DNS rebinding) and a wrong password."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not hosts.has(request):
            return refusal(request, 403, "http_wrong_host")
        if is_cross_site(request):
            return refusal(request, 403, "http_cross_site")
        if password is not None and (refused := password.check(request)) is not None:
            if refused.wait_s:
                return refusal(request, 429, "http_guessing", wait_s=refused.wait_s)
            response = refusal(request, 401, "http_password")
            response.headers["WWW-Authenticate"] = 'Basic realm="llava-bot", charset="UTF-8"'
            return response
        answer = await handler(request)
        if not answer.prepared:
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
        return answer

    return middleware


@web.middleware
async def failures_are_sentences(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """An unexpected failure goes to the log; the visitor gets a sentence."""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        return refusal(request, exc.status, "http_not_found" if exc.status == 404 else "http_bad")
    except HttpRefusal as exc:
        return refusal(request, exc.status, exc.key, **exc.values)
    except UserFacingError as exc:
        return refusal(request, 503, exc.key, **exc.values)
    except ConnectionError as exc:
        if request.transport is not None:
            log.error("a request failed: %s", safe_traceback(exc))
        return refusal(request, 500, refusal_of(exc).key)  # else to nobody: the sender hung up
    except Exception as exc:  # noqa: BLE001 - the border to the network: nothing may leak through
        log.error("a request failed: %s", safe_traceback(exc))
        return refusal(request, 500, refusal_of(exc).key)
