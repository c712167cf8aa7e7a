"""The local Discord as a server: REST, gateway and CDN over TLS on one port."""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web

from tests.servers.discord.limits import Buckets
from tests.servers.discord.people import PROXY, People
from tests.servers.discord.rest import Call, DiscordError, Route
from tests.servers.discord.routes import ROUTES
from tests.servers.discord.state import Json
from tests.servers.faults import Fault, Faults, cut, strike
from tests.servers.idle import close_idle

HOSTS = (
    "discord.com",
    "gateway.discord.gg",
    "*.discord.gg",
    "cdn.discordapp.com",
    "media.discordapp.net",
    PROXY,
)
CDN = frozenset({"cdn.discordapp.com", "media.discordapp.net", PROXY})
UNSIGNED = frozenset({"emojis", "external", "stickers"})
"""What the CDN serves without a signature."""
API = "/api/v10"
VIA = {"Via": "1.1 google"}
SHIELD = 1015
"""As a fault's status: the shield before Discord refuses, with a 429 that is not Discord's."""
WITHOUT_TOKEN = ("/interactions/", "/webhooks/")


@dataclass(frozen=True)
class Recorded:
    """A call, and how it ended."""

    route: Route
    call: Call
    status: int
    answer: Any


class LocalDiscord(People):
    """Servers and people, REST, gateway and CDN. Made by `running_discord`."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets = Buckets()
        self.faults = Faults()
        self.recorded: list[Recorded] = []
        self.downloads: list[str] = []
        self.port = 0
        self.ca_file = Path()
        self.close_idle: Callable[[], None] = lambda: None

    @property
    def address(self) -> str:
        """For DISCORD_RESOLVE_TO."""
        return f"127.0.0.1:{self.port}"

    def calls(self, name: str) -> list[Recorded]:
        """Calls of one route."""
        return [it for it in self.recorded if it.route.name == name]

    # -- the server ---------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        if host.endswith(".discord.gg"):
            return await self.gateway.handle(request)
        if host == "discord.com" and request.path.startswith(API):
            return await self._api(request)
        if host in CDN:
            return await self._cdn(request)
        raise web.HTTPNotFound

    async def _api(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path.removeprefix(API).replace("%40", "@")
        for route in ROUTES:
            match = route.pattern.match(path)
            if match is not None and route.method == request.method:
                call = Call(match.groupdict(), dict(request.query), *await _body(request))
                return await self._answer(request, route, call)
        return _json({"message": "404: Not Found", "code": 0}, 404, {})

    async def _answer(self, request: web.Request, route: Route, call: Call) -> web.Response:
        authorised = request.headers.get("Authorization") == f"Bot {self.world.token}"
        if not authorised and not route.path.startswith(WITHOUT_TOKEN):
            return _json({"message": "401: Unauthorized", "code": 0}, 401, {})
        fault = self.faults.take(route.name)
        await strike(fault, request)
        major = call.parameters.get("channel_id") or call.parameters.get("webhook_token") or ""
        headers, wait_s = self.buckets.take(route.name, route.bucket, major)
        if wait_s is not None:
            return _too_many(wait_s, headers)
        if fault.status and not fault.after:
            return _failed(fault, headers)
        try:
            answer = await route.work(self.rest, call)
            status = 204 if answer is None else 200
            if route.name == "create_thread_from_message":
                status = 201
        except DiscordError as exc:
            answer, status = exc.body, exc.status
        if status == 429:
            headers |= VIA | {"Retry-After": "1"}
        self.recorded.append(Recorded(route, call, status, answer))
        if fault.cut == "after":
            cut(request)
        if fault.status:
            return _failed(fault, headers)
        return _json(answer, status, headers)

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        self.downloads.append(str(request.rel_url))
        kind, *rest = request.path.strip("/").split("/")
        file = self.world.files.get(rest[kind not in UNSIGNED].partition(".")[0])
        if file is None or file.gone:
            raise web.HTTPNotFound
        if kind in UNSIGNED:
            return web.Response(body=file.data, content_type="image/webp")
        if request.query.get("hm") != f"{file.id}-{file.generation}":
            raise web.HTTPNotFound
        if int(request.query["ex"], 16) < time.time():
            raise web.HTTPNotFound
        if file.slow_s:
            await asyncio.sleep(file.slow_s)
        if file.truncated:
            response = web.StreamResponse()
            response.content_length = len(file.data)
            await response.prepare(request)
            await response.write(file.data[: len(file.data) // 2])
            cut(request)
        return web.Response(body=file.data, content_type="image/webp")


async def _body(request: web.Request) -> tuple[Json, dict[str, tuple[str, bytes]]]:
    if request.content_type == "multipart/form-data":
        form = await request.post()
        uploads = {
            name: (part.filename, part.file.read())
            for name, part in form.items()
            if isinstance(part, web.FileField)
        }
        return json.loads(str(form["payload_json"])), uploads
    if not request.can_read_body:
        return {}, {}
    body = await request.json()
    return ({"list": body} if isinstance(body, list) else body), {}


def _json(body: Any, status: int, headers: dict[str, str]) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    # Exactly this type: with a charset, discord.py takes it for text.
    headers = {"Content-Type": "application/json", **headers}
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers)


def _too_many(wait_s: float, headers: dict[str, str]) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": wait_s, "global": False}
    more = VIA | {"Retry-After": f"{int(wait_s) + 1}", "X-RateLimit-Scope": "user"}
    return _json(body, 429, headers | more)


def _failed(fault: Fault, headers: dict[str, str]) -> web.Response:
    if fault.status == 429:
        return _too_many(fault.retry_after_s, headers)
    if fault.status == SHIELD:
        return web.Response(status=429, text="<html>error code: 1015</html>")
    return web.Response(status=fault.status, text="upstream error")


@asynccontextmanager
async def running_discord(
    *, port: int = 0, discord: LocalDiscord | None = None
) -> AsyncIterator[LocalDiscord]:
    """A local Discord on a port of its own, with a certificate of its own."""
    discord = discord or LocalDiscord()
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(*HOSTS).configure_cert(context)
    app = web.Application(client_max_size=60_000_000)
    app.router.add_route("*", "/{path:.*}", discord.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    discord.port = runner.addresses[0][1]
    discord.close_idle = partial(close_idle, runner)
    with tempfile.TemporaryDirectory(prefix="local-discord-") as folder:
        discord.ca_file = Path(folder) / "ca.pem"
        ca.cert_pem.write_to_path(str(discord.ca_file))
        try:
            yield discord
            await discord.gateway.close()
        finally:
            await runner.cleanup()
