"""HTTP mode, where Slack calls the bot, and the pages for installing it in further workspaces."""

from __future__ import annotations

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow

from bot.platforms.listening import cannot_listen
from bot.platforms.listening.connections import (
    MAX_CONNECTIONS,
    BoundedSite,
    Connections,
    in_use,
)

EVENTS, INSTALL, REDIRECT = "/slack/events", "/slack/install", "/slack/oauth_redirect"
MAX_BODY_BYTES = 1_000_000


class HttpServer:
    """Listens for Slack. Lives as long as the adapter."""

    def __init__(
        self,
        app: AsyncApp,
        *,
        host: str,
        port: int,
        takes_events: bool,
        oauth: AsyncOAuthFlow | None,
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._takes_events = takes_events
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
        if self._takes_events:
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
        return await to_aiohttp_response(
            await self._app.async_dispatch(await to_bolt_request(request))
        )

    async def _install(self, request: web.Request) -> web.Response:
        assert self._oauth is not None  # noqa: S101 - the route exists only with it
        return await to_aiohttp_response(
            await self._oauth.handle_installation(await to_bolt_request(request))
        )

    async def _redirect(self, request: web.Request) -> web.Response:
        assert self._oauth is not None  # noqa: S101 - the route exists only with it
        return await to_aiohttp_response(
            await self._oauth.handle_callback(await to_bolt_request(request))
        )
