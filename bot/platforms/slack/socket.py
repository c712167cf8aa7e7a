"""Socket Mode, and a watchdog over it.

slack-sdk (3.47) keeps a socket alive by itself, but not always: when the address that a refresh
gave it is refused, it tries that same address forever, and a socket may stay connected and deliver
nothing any more. The watchdog then opens a new one, and closes the old one after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.platform import PlatformUnavailable
from bot.values.presence import Presence
from inference.errors import safe_traceback
from inference.failures import in_one_line

log = logging.getLogger(__name__)


FRESH_S = 10
HELLO_LENGTH = 100
HTTP_TOO_MANY = 429
LONGEST_PAUSE_S = 30.0
"""Between two attempts to get a new socket."""
RETRY_AFTER_S = 30
"""Where Slack does not say for how long."""

FATAL = {
    "account_inactive",
    "forbidden_team",
    "invalid_auth",
    "missing_scope",
    "not_allowed_token_type",
    "not_authed",
    "token_revoked",
}
"""Errors that an operator must fix; any other may go away by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogTimeouts:
    """When the watchdog steps in, in seconds."""

    check_s: float = 2
    unconnected_s: float = 15
    """Without a connection; the SDK's own attempts come first."""
    quiet_s: float = 900
    """Without an envelope: in a quiet workspace this costs one new connection now and then."""
    connect_s: float = 20
    ping_s: float = 5


DEFAULT_TIMEOUTS = WatchdogTimeouts()


class Socket:
    """The connection that Slack sends events over. Lives as long as the adapter."""

    def __init__(
        self,
        app: AsyncApp,
        *,
        app_token: str,
        client: AsyncWebClient,
        after_gap: Callable[[float], Coroutine[Any, Any, None]],
        timeouts: WatchdogTimeouts,
        presence: Presence,
    ) -> None:
        self.presence = presence
        self._app = app
        self._app_token = app_token
        self._client = client
        self._after_gap = after_gap
        self._timeouts = timeouts
        self._handler: AsyncSocketModeHandler | None = None
        self._watching: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._limited_until = float("-inf")
        """Slack gives no address before that."""
        self._hello_at = float("-inf")
        self._received_at = time.monotonic()
        self._connected_at = time.monotonic()
        self.replaced = 0
        """How often the watchdog had to step in."""

    async def open(self) -> None:
        """Connect; without a network, as soon as there is one. Raises: PlatformUnavailable."""
        try:
            # Bounded: other platforms start after this one, and a rate limit may last long.
            async with asyncio.timeout(self._timeouts.connect_s):
                await self._replace()
        except SlackApiError as exc:
            error = _error_of(exc)
            if error not in FATAL:
                log.warning("Slack does not give a socket yet (%s): trying again", error)
                self._start_watching()
                return
            raise PlatformUnavailable(
                f"Slack refuses SLACK_APP_TOKEN ({error}): make an app-level token with the scope "
                "connections:write under Basic Information, App-Level Tokens."
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError, AttributeError) as exc:
            # AttributeError: what slack-sdk makes of an answer that is no JSON.
            log.warning("Slack cannot be reached yet (%s): trying again", in_one_line(exc))
        self._start_watching()

    def _start_watching(self) -> None:
        self._watching = asyncio.create_task(self._watch(), name="slack-watchdog")

    async def close(self) -> None:
        """Disconnect."""
        tasks = [task for task in (self._watching, self._catching_up) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watching = self._catching_up = None
        self.presence.disconnected()
        handler, self._handler = self._handler, None
        await _close(handler)

    async def is_connected(self) -> bool:
        """Whether the SDK thinks so."""
        return self._handler is not None and await self._handler.client.is_connected()

    async def _watch(self) -> None:
        pause_s = self._timeouts.check_s
        while True:
            await asyncio.sleep(pause_s)
            now = time.monotonic()
            if await self.is_connected():
                self._connected_at = now
                self.presence.connected()
            else:
                self.presence.disconnected()
            unconnected_s, quiet_s = now - self._connected_at, now - self._received_at
            if unconnected_s < self._timeouts.unconnected_s and quiet_s < self._timeouts.quiet_s:
                pause_s = self._timeouts.check_s
                continue
            if pause_s == self._timeouts.check_s:  # not again at every attempt
                log.warning(
                    "the socket is replaced: not connected for %.0f s, quiet for %.0f s",
                    unconnected_s,
                    quiet_s,
                )
            quiet_since = self._received_at
            try:
                await self._replace()
            except Exception as exc:  # noqa: BLE001 - whatever it was, it is tried again
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                log.warning("no new socket yet (%s): trying again in %.0f s", _why(exc), pause_s)
                continue
            pause_s = self._timeouts.check_s
            self.replaced += 1
            if self._catching_up is None or self._catching_up.done():
                # Beside the watch: a workspace may have hundreds of channels.
                self._catching_up = asyncio.create_task(
                    self._after_gap(time.monotonic() - quiet_since), name="slack-gap"
                )

    async def _replace(self) -> None:
        """Open a new connection, then close the old one: nothing is missed between the two."""
        handler = AsyncSocketModeHandler(
            self._app,
            self._app_token,
            web_client=self._client,
            ping_interval=self._timeouts.ping_s,
        )
        handler.client.on_message_listeners.append(self._on_message)
        # The SDK asks on its own, too, when it reconnects.
        handler.client.issue_new_wss_url = self._address  # type: ignore[method-assign]
        try:
            handler.client.wss_uri = await self._address()
            # `connect` does not end while the address is refused.
            async with asyncio.timeout(self._timeouts.connect_s):
                await handler.client.connect()
        except BaseException:
            await _close(handler)
            raise
        old, self._handler = self._handler, handler
        self._received_at = self._connected_at = time.monotonic()
        self.presence.connected()
        await _close(old)

    async def _address(self) -> str:
        """A fresh address for one connection; over the rate, not before Slack says so.

        Raises: SlackApiError; what aiohttp raises.
        """
        while True:
            wait_s = self._limited_until - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            try:
                opened = await self._client.apps_connections_open(app_token=self._app_token)
            except SlackApiError as exc:
                if exc.response.status_code != HTTP_TOO_MANY:
                    raise
                wait_s = float(exc.response.headers.get("Retry-After", RETRY_AFTER_S))
                self._limited_until = time.monotonic() + wait_s
                log.warning("Slack gives no more sockets for %.0f s", wait_s)
            else:
                return str(opened["url"])

    async def _on_message(self, message: aiohttp.WSMessage) -> None:
        self._received_at = time.monotonic()
        if '"type":"hello"' in str(message.data)[:HELLO_LENGTH].replace(" ", ""):
            self._hello_at = self._received_at

    @property
    def is_fresh(self) -> bool:
        """Whether it connected just now: what the old one did not deliver is still to come."""
        return time.monotonic() - self._hello_at < FRESH_S


def _why(exc: Exception) -> str:
    """Why there is no socket: one line where that happens in any network."""
    if isinstance(exc, SlackApiError):
        return _error_of(exc)
    if isinstance(exc, (aiohttp.ClientError, OSError)):
        return in_one_line(exc)
    return safe_traceback(exc)


def _error_of(exc: SlackApiError) -> str:
    """Slack's word; an answer that is no JSON has none."""
    data = getattr(exc.response, "data", exc.response)
    return str(data.get("error", "")) if isinstance(data, dict) else "no answer of use"


async def _close(handler: AsyncSocketModeHandler | None) -> None:
    if handler is None:
        return
    tasks = [
        task
        for task in (
            handler.client.message_processor,
            handler.client.current_session_monitor,
            handler.client.message_receiver,
        )
        if task is not None
    ]
    with contextlib.suppress(Exception):  # a broken socket may fail to close
        await handler.client.close()
    await asyncio.gather(*tasks, return_exceptions=True)
