"""Slack's Web API as the adapter needs it: within its rates, with failures by kind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal
from weakref import WeakSet

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack.shapes import well_formed
from bot.values.messages import TryLater
from inference.failures import in_one_line

API_TIMEOUT_S = 30

STREAMS_PER_MINUTE = 18
"""Slack starts about 20 streams per minute for an app in a workspace; a few stay in reserve."""
SESSIONS_PER_MINUTE = 22
"""About 50 calls per minute; each session takes two."""
STREAM_PACE_S = 1.0
STREAM_SHARE_S = 60 / 90
"""All running streams share about 100 appends per minute."""
UPDATE_PACE_S = 1.2
UPDATE_SHARE_S = 60 / 45
"""All edited replies share about 50 updates per minute."""
UNREACHABLE_PAUSE_S = 1.0
READ_ATTEMPTS = 5
SCOPES_HEADER = "x-oauth-scopes"
MAX_PATIENT_S = 60

UNSUPPORTED = {
    "access_denied",
    "channel_type_not_supported",
    "feature_disabled",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "not_allowed_token_type",
    "unknown_method",
}
"""Errors that will be the same the next time in this channel."""

PASSING = {
    "fatal_error",
    "internal_error",
    "messaging_processing_failed",
    "request_timeout",
    "service_unavailable",
    "update_failed",
}
"""Slack's own errors, which pass."""

Kind = Literal["stream", "update"]
"""How a reply is written: appended to, or edited."""


class SlackRefused(Exception):
    """Slack refused the call. `str(exc)` is Slack's error code."""

    def __init__(self, error: str, needed: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.needed = needed
        """The missing scope, with ``missing_scope``."""


class Unsure(TryLater):
    """Slack could not be reached, or the call broke off: it may have had its effect."""


class SlackUnreachable(OSError):
    """Slack cannot be reached, or its answer makes no sense."""


def reason(exc: Exception) -> str:
    """Slack's error code, and the missing scope; never what people wrote."""
    if isinstance(exc, SlackRefused) and exc.needed:
        return f"{exc}: add the scope {exc.needed}"
    return str(exc)


class SlackApi:
    """The Web API with one workspace's token."""

    def __init__(self, client: AsyncWebClient) -> None:
        self.client = client
        self.rates = Rates()
        self.scopes: frozenset[str] | None = None
        """The token's, as every answer of Slack lists them; `None`: no answer yet."""

    async def write(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Change something, once.

        Raises:
            TryLater: over its rate; nothing was changed.
            Unsure: Slack cannot be reached; it may have been changed.
            SlackRefused: Slack refuses the call.
        """
        try:
            return await self._call(method, json=_given(arguments))
        except SlackUnreachable:
            raise Unsure(UNREACHABLE_PAUSE_S) from None

    async def new_upload(self, name: str, length: int) -> tuple[str, str]:
        """Where a file of so many bytes is to be sent. Returns: (its id, address).

        Raises: as `write`.
        """
        # Unlike other methods, it takes no JSON.
        form = {"filename": name, "length": str(length)}
        try:
            given = await self._call("files.getUploadURLExternal", data=form)
        except SlackUnreachable:
            raise Unsure(UNREACHABLE_PAUSE_S) from None
        return str(given["file_id"]), str(given["upload_url"])

    async def send(self, address: str, data: bytes) -> None:
        """Send a file's bytes to the address that Slack gave for it. Raises: TryLater."""
        client = self.client
        sending = aiohttp.request(
            "POST",
            address,
            data=data,
            proxy=client.proxy,
            ssl=client.ssl if client.ssl is not None else True,
            timeout=aiohttp.ClientTimeout(total=API_TIMEOUT_S),
        )
        try:
            async with sending as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise TryLater(UNREACHABLE_PAUSE_S) from None
        if status != HTTPStatus.OK:
            raise TryLater(UNREACHABLE_PAUSE_S)

    async def read(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Read something, with retries.

        Raises:
            SlackUnreachable: after several attempts.
            SlackRefused: Slack refuses the call.
        """
        pause_s = 0.5
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await self._call(method, params=_given(arguments))
            except TryLater as later:
                if attempt == READ_ATTEMPTS or later.after_s > MAX_PATIENT_S:
                    raise SlackUnreachable("over its rate") from None
                await asyncio.sleep(later.after_s)
            except SlackUnreachable:
                if attempt == READ_ATTEMPTS:
                    raise
                await asyncio.sleep(pause_s)
                pause_s *= 2
        raise AssertionError("unreachable")

    async def patient_write(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Change something that may be done twice, with retries. Raises: SlackRefused, TryLater."""
        for _ in range(READ_ATTEMPTS - 1):
            try:
                return await self.write(method, **arguments)
            except TryLater as later:
                await asyncio.sleep(min(later.after_s, MAX_PATIENT_S))
        return await self.write(method, **arguments)

    async def current_scopes(self) -> frozenset[str]:
        """The token's scopes as Slack lists them now; the last known ones where it does not say."""
        with contextlib.suppress(SlackRefused, SlackUnreachable):
            await self.read("auth.test")
        return self.scopes or frozenset()

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        verb = "GET" if "params" in arguments else "POST"
        try:
            response = await self.client.api_call(method, http_verb=verb, **arguments)
        except SlackApiError as exc:
            self._note_scopes(getattr(exc.response, "headers", None))
            raise _translated(exc) from None
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise SlackUnreachable(in_one_line(exc)) from exc
        self._note_scopes(response.headers)
        data = response.data
        if not isinstance(data, dict):
            raise SlackUnreachable("no JSON")
        if isinstance(data.get("messages"), list):
            data = data | {"messages": [well_formed(message) for message in data["messages"]]}
        return data | {"_headers": dict(response.headers)}

    def _note_scopes(self, headers: Mapping[str, str] | None) -> None:
        for name, value in (headers or {}).items():
            if name.lower() == SCOPES_HEADER:
                self.scopes = frozenset(scope.strip() for scope in value.split(","))


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _translated(exc: SlackApiError) -> Exception:
    response = exc.response
    status = getattr(response, "status_code", None)
    if status == 429:
        return TryLater(float(response.headers.get("Retry-After", 30)))
    data = getattr(response, "data", response)
    if not isinstance(data, dict) or "error" not in data or (status or 200) >= 500:
        return SlackUnreachable(f"HTTP {status}")
    if data["error"] in PASSING:
        return SlackUnreachable(str(data["error"]))
    if data["error"] in {"ratelimited", "rate_limited"}:
        return TryLater(float(response.headers.get("Retry-After", 30)))
    return SlackRefused(str(data["error"]), str(data.get("needed", "")))


class Rates:
    """What is left of a workspace's rates, so that Slack need not refuse."""

    def __init__(self) -> None:
        self._streams: deque[float] = deque()
        self._sessions: deque[float] = deque()
        self._streams_refused_until = 0.0
        self._replies: dict[str, WeakSet[object]] = {"stream": WeakSet(), "update": WeakSet()}

    def may_start_stream(self) -> bool:
        """Take one of this minute's streams, if one is left."""
        if time.monotonic() < self._streams_refused_until:
            return False
        return _take(self._streams, STREAMS_PER_MINUTE)

    def may_begin_session(self) -> bool:
        """Take one of this minute's agent sessions, if one is left."""
        return _take(self._sessions, SESSIONS_PER_MINUTE)

    def no_streams_for(self, seconds: float) -> None:
        """Slack refused a stream for so long."""
        self._streams_refused_until = time.monotonic() + seconds

    def track(self, reply: object, kind: Kind) -> None:
        """A reply is written in this way from now on."""
        self.untrack(reply)
        self._replies[kind].add(reply)

    def untrack(self, reply: object) -> None:
        """The reply has ended. Garbage-collected replies drop out by themselves."""
        for replies in self._replies.values():
            replies.discard(reply)

    def pace_s(self, kind: Kind) -> float:
        """Seconds between two edits of one reply, so that all replies together keep the rate."""
        if kind == "stream":
            return max(STREAM_PACE_S, len(self._replies[kind]) * STREAM_SHARE_S)
        return max(UPDATE_PACE_S, len(self._replies[kind]) * UPDATE_SHARE_S)


def _take(recent: deque[float], per_minute: int) -> bool:
    """Count one more call, if the last minute has room for it."""
    now = time.monotonic()
    while recent and recent[0] <= now - 60:
        recent.popleft()
    if len(recent) >= per_minute:
        return False
    recent.append(now)
    return True
