"""Serves health checks and metrics over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.errors import ConfigurationError
from bot.monitoring.health import Health
from bot.monitoring.metrics import Metrics
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.listening import cannot_listen
from bot.platforms.listening.connections import (
    BoundedSite,
    Connections,
    in_use,
    without_version,
)

CONNECTIONS = 64
"""A supervisor and a few scrapers have one each."""


@asynccontextmanager
async def running_monitoring(
    settings: MonitoringSettings, health: Health, metrics: Metrics
) -> AsyncIterator[str | None]:
    """Listen for as long as the context lasts; yields the address, if it listens.

    Raises: ConfigurationError: it cannot listen there.
    """
    if settings.port is None:
        yield None
        return
    metrics.watch(health)
    runner = web.AppRunner(_app(health, metrics), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        connections = Connections(most=CONNECTIONS)
        site = BoundedSite(runner, settings.host, settings.port, connections)
        try:
            await site.start()
        except OSError as exc:
            raise ConfigurationError(
                str(
                    cannot_listen(
                        "Monitoring",
                        settings.host,
                        settings.port,
                        exc,
                        settings=settings.prefix,
                    )
                )
            ) from None
        host, port = runner.addresses[0][:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()


def _app(health: Health, metrics: Metrics) -> web.Application:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        return web.json_response(health.to_json(), status=200 if health.is_ready else 503)

    async def scraped(_: web.Request) -> web.Response:
        # In a thread: it asks the disk and reads /proc.
        body = await asyncio.to_thread(metrics.exposition)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[in_use, without_version], client_max_size=1024)
    app.add_routes(
        [web.get("/healthz", alive), web.get("/readyz", ready), web.get("/metrics", scraped)]
    )
    return app
