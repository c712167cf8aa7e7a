"""HTTP mode, where Slack calls the bot, and the pages for installing it in further workspaces."""

from __future__ import annotations

import asyncio
import re

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from bot.platforms.listening import cannot_listen
from bot.platforms.listening.connections import (
    MAX_CONNECTIONS,
    BoundedSite,
    Connections,
    in_use,
)
from bot.platforms.slack.states import TooManyInstallations

EVENTS, INSTALL, REDIRECT = "/slack/events", "/slack/install", "/slack/oauth_redirect"
MAX_BODY_BYTES = 1_000_000
BODY_S = 20
"""From a body's first byte to its last."""
_STAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class HttpServer:
    """Listens for Slack. Lives as long as the adapter."""

    def __init__(
        self,
        app: AsyncApp,
        *,
        host: str,
        port: int,
        signing_secret: str | None,
        oauth: AsyncOAuthFlow | None,
    ) -> None:
        """`signing_secret`: Slack's; `None` where it sends no events here."""
        self._app = app
        self._host = host
        self._port = port
        self._verifier = None if signing_secret is None else SignatureVerifier(signing_secret)
        self._oauth = oauth
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """Where it listens, once opened."""
        if self._runner is None:
            raise RuntimeError("it does not listen")
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def open(self) -> None:
        """Listen. Raises: PlatformUnavailable."""
        server = web.Application(middlewares=[in_use], client_max_size=MAX_BODY_BYTES)
        if self._verifier is not None:
            server.router.add_post(EVENTS, self._events)
        if self._oauth is not None:
            server.router.add_get(INSTALL, self._install)
            server.router.add_get(REDIRECT, self._redirect)
        self._runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            # Slack calls from few addresses, through the operator's proxy from one.
            connections = Connections(most_per_sender=MAX_CONNECTIONS)
            await BoundedSite(self._runner, self._host, self._port, connections).start()
        except OSError as exc:
            raise cannot_listen(
                "Slack's HTTP mode", self._host, self._port, exc, settings="SLACK_HTTP_"
            ) from None

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _events(self, request: web.Request) -> web.Response:
        assert self._verifier is not None  # noqa: S101 - the route exists only with it
        body = await _read(request)
        # Before anything is parsed: bolt stumbles over some bodies that nobody has signed.
        if not is_signed(self._verifier, request, body):
            return web.json_response({"error": "invalid request"}, status=401)
        bolt_request = AsyncBoltRequest(
            body=body.decode(),
            query=request.query_string,
            headers=request.headers,  # type: ignore[arg-type] # as bolt's own adapter passes them
        )
        return await to_aiohttp_response(await self._app.async_dispatch(bolt_request))

    async def _install(self, request: web.Request) -> web.Response:
        assert self._oauth is not None  # noqa: S101 - the route exists only with it
        try:
            return await to_aiohttp_response(
                await self._oauth.handle_installation(await to_bolt_request(request))
            )
        except TooManyInstallations:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "600"}) from None

    async def _redirect(self, request: web.Request) -> web.Response:
        assert self._oauth is not None  # noqa: S101 - the route exists only with it
        return await to_aiohttp_response(
            await self._oauth.handle_callback(await to_bolt_request(request))
        )


def is_signed(verifier: SignatureVerifier, request: web.Request, body: bytes) -> bool:
    """Whether Slack has signed a request within the last five minutes, and once."""
    stamps = request.headers.getall("X-Slack-Request-Timestamp", [])
    signatures = request.headers.getall("X-Slack-Signature", [])
    if len(stamps) != 1 or len(signatures) != 1:
        return False
    if not _STAMP.fullmatch(stamps[0]) or not _SIGNATURE.fullmatch(signatures[0]):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    # In constant time; from the future is as wrong as from the past.
    return verifier.is_valid(body, stamps[0], signatures[0])


async def _read(request: web.Request) -> bytes:
    """A body within its bounds. Raises: web.HTTPException."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
