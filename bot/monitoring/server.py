"""Serves health checks and metrics: over HTTP where a port is set, and in the bot's own folder.

The socket in the folder is for `llava-bot status`: only the bot's user can reach it, so neither
side needs a password, and nobody else can pass for the bot.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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
)
from bot.private_files import STATUS
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""A supervisor and a few scrapers have one each."""


@asynccontextmanager
async def running_monitoring(
    settings: MonitoringSettings, health: Health, metrics: Metrics, *, folder: Path | None = None
) -> AsyncIterator[str | None]:
    """Listen for as long as the context lasts; yields the address, if a port is set.

    Args:
        folder: a private folder, where a socket for `llava-bot status` is made.

    Raises: ConfigurationError: it cannot listen at the port.
    """
    metrics.watch(health)
    runner = web.AppRunner(_app(health, metrics), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        address = None if settings.port is None else await _listen(runner, settings, settings.port)
        if folder is not None:
            await _listen_in(folder, runner)
        yield address
    finally:
        await runner.cleanup()
        if folder is not None:
            with contextlib.suppress(OSError):  # the next start removes it
                await asyncio.to_thread((folder / STATUS).unlink, missing_ok=True)


async def _listen(runner: web.AppRunner, settings: MonitoringSettings, port: int) -> str:
    """Returns: the address. Raises: ConfigurationError."""
    try:
        await BoundedSite(runner, settings.host, port, Connections(most=CONNECTIONS)).start()
    except OSError as exc:
        problem = cannot_listen("Monitoring", settings.host, port, exc, settings=settings.prefix)
        raise ConfigurationError(str(problem)) from None
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _listen_in(folder: Path, runner: web.AppRunner) -> None:
    """A bot whose folder takes no socket (a long path, a foreign file system) runs without one."""
    try:
        # Of a bot that was killed; asyncio would remove it, too, and block the loop.
        await asyncio.to_thread((folder / STATUS).unlink, missing_ok=True)
        await web.UnixSite(runner, folder / STATUS).start()
    except (OSError, NotImplementedError) as exc:
        log.info("`llava-bot status` knows less: no socket in DATA_DIR: %s", safe_traceback(exc))


def _app(health: Health, metrics: Metrics) -> web.Application:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        return web.json_response(health.to_json(), status=200 if health.is_ready else 503)

    async def scraped(_: web.Request) -> web.Response:
        # In a thread: it asks the disk and reads /proc.
        body = await asyncio.to_thread(metrics.exposition)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[in_use], client_max_size=1024)
    app.add_routes(
        [web.get("/healthz", alive), web.get("/readyz", ready), web.get("/metrics", scraped)]
    )
    return app
