"""Refusals in the shape of OpenAI's errors, from which clients make their exceptions."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from bot.errors import Busy, OutOfTime, PictureRefused, UserFacingError, refusal_of
from bot.texts import duration, say
from inference.errors import ContextExceeded, EngineDead, TooManyPictures, safe_traceback

log = logging.getLogger(__name__)

HEADERS: Final[Mapping[str, str]] = {
    "Server": "llava-bot",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
RETRY_S: Final = 5
"""When to come back to a bot that is busy."""


class ApiRefusal(UserFacingError):
    """Ends a request with a status, a sentence, and what a program needs to know of it."""

    def __init__(
        self,
        status: int,
        key: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_s: int | None = None,
        **values: object,
    ) -> None:
        """`param`: the field of the request that is wrong. `retry_s`: when to come back."""
        super().__init__(key, **values)
        self.status = status
        self.code = code
        self.param = param
        self.retry_s = retry_s

    def sentence(self, locale: str) -> str:
        """In the client's language, with the time until it may come back."""
        wait = duration(locale, self.retry_s or 0)
        return say(locale, self.key, **self.values, wait=wait)


def locale_of(request: web.Request) -> str:
    """The first language of Accept-Language."""
    return request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0].strip()


def api_refusal_of(exc: Exception) -> ApiRefusal:
    """What a request that has failed is answered with."""
    match exc:
        case ApiRefusal():
            return exc
        case ContextExceeded():
            return ApiRefusal(
                400,
                "api_context",
                code="context_length_exceeded",
                param="messages",
                needed=exc.needed_tokens,
                limit=exc.context_tokens,
            )
        case TooManyPictures():
            return ApiRefusal(
                400, "api_pictures", param="messages", given=exc.given, limit=exc.limit
            )
        case PictureRefused():
            return _as_it_is(400, exc, code="invalid_image", param="messages")
    refusal = refusal_of(exc)
    match refusal:
        case Busy(key="queue_full" | "shutting_down" | "api_loading"):
            return _as_it_is(503, refusal, code="overloaded", retry_s=RETRY_S)
        case UserFacingError(key="needs_picture"):
            return _as_it_is(400, refusal, code="needs_picture", param="messages")
        case OutOfTime():
            return _as_it_is(504, refusal, code="timeout")
    if isinstance(exc, EngineDead):
        return _as_it_is(503, refusal, code="overloaded", retry_s=RETRY_S)
    return _as_it_is(500, refusal)


def _as_it_is(status: int, refusal: UserFacingError, **more: Any) -> ApiRefusal:
    """A refusal whose sentence is its own."""
    values: Mapping[str, Any] = refusal.values
    made = ApiRefusal(status, refusal.key, **more, **values)
    made.sentence = refusal.sentence  # type: ignore[method-assign] # it may say more than the key
    return made


def error_json(refusal: ApiRefusal, locale: str) -> dict[str, Any]:
    """The body of an error, or of the event that ends a stream."""
    match refusal.status:
        case 429:
            kind = "requests"
        case status if status >= 500:
            kind = "server_error"
        case _:
            kind = "invalid_request_error"
    return {
        "error": {
            "message": refusal.sentence(locale),
            "type": kind,
            "param": refusal.param,
            "code": refusal.code,
        }
    }


def as_response(request: web.Request, refusal: ApiRefusal) -> web.Response:
    """A refusal as it is sent."""
    headers = dict(HEADERS)
    if refusal.retry_s is not None:
        headers["Retry-After"] = str(refusal.retry_s)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="llava-bot"'
    body = error_json(refusal, locale_of(request))
    return web.json_response(body, status=refusal.status, headers=headers)


@web.middleware
async def failures_are_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever fails, the client gets an error that it understands."""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        key = {404: "api_no_address", 405: "api_method"}.get(exc.status, "http_bad")
        return as_response(request, ApiRefusal(exc.status, key))
    except Exception as exc:  # noqa: BLE001 - the border to the network: nothing may leak through
        refusal = api_refusal_of(exc)
        if refusal.key == "something_broke" and request.transport is not None:
            log.error("a request failed: %s", safe_traceback(exc))
        return as_response(request, refusal)
