"""The local Slack as a server: Web API, files, and what comes to response_url."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from tests.servers.faults import Fault, Faults, cut, strike
from tests.servers.idle import close_idle
from tests.servers.slack.block_rules import ApiError
from tests.servers.slack.people import People
from tests.servers.slack.web_api import METHODS, Rules, WebApi

SHOWN_AS_PAGES = ("text/html", "application/vnd.slack-")
"""Files that Slack hands out as web pages."""
LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head></html>"


class LocalSlack(People):
    """One workspace, its Web API, its sockets, its files. Made by `running_slack`."""

    def __init__(self) -> None:
        super().__init__()
        self.close_idle: Callable[[], None] = lambda: None
        self.rules = Rules()
        self.faults = Faults()
        self.api = WebApi(self.workspace, self.rules, self.sockets.ticket)
        self.api.describe = self.describe
        self.api.upload_address = lambda id_: f"{self.base}/upload/v1/{id_}"
        self.downloads: list[tuple[str, str]] = []
        """(path, Authorization) of every file that was asked for."""
        self.asked: list[tuple[str, float]] = []
        """(method, when) of every call, refused ones included."""
        self.responses: list[dict[str, Any]] = []
        """Posts to response_url."""
        self.echoes = True
        """Slack sends the bot events of its own messages too."""

    @property
    def api_url(self) -> str:
        return f"{self.base}/api/"

    async def handle_call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        if name not in METHODS:
            return web.json_response({"ok": False, "error": "unknown_method"})
        self.asked.append((name, time.monotonic()))
        fault = self.faults.take(name)
        await strike(fault, request)
        if fault.status:
            return _failed(fault)
        if (wait_s := self.api.over_rate(name)) is not None:
            return web.json_response(
                {"ok": False, "error": "ratelimited"},
                status=429,
                headers={"Retry-After": str(wait_s)},
            )
        arguments = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = arguments.pop("token", None) or token
        try:
            answer = self.api.call(name, token, arguments)
        except ApiError as exc:
            self.api.refused.append((name, str(exc)))
            answer = exc.body
        if name == "chat.postMessage" and answer["ok"] and self.echoes:
            channel_type = "im" if answer["channel"].startswith("D") else "channel"
            place = {"channel": answer["channel"], "channel_type": channel_type}
            self.tell_event(dict(answer["message"]) | place)
        if fault.cut == "after":
            cut(request)
        headers = {
            "x-oauth-scopes": ",".join(sorted(self.workspace.scopes)),
            "Date": formatdate(time.time() + self.rules.clock_ahead_s, usegmt=True),
        }
        return web.json_response(answer, headers=headers)

    async def handle_file(self, request: web.Request) -> web.StreamResponse:
        self.downloads.append((request.path, request.headers.get("Authorization", "")))
        file_id = request.match_info["place"].partition("-")[2]
        file = self.workspace.files.get(file_id)
        authorised = (
            request.headers.get("Authorization") == f"Bearer {self.workspace.bot_token}"
            and "files:read" in self.workspace.scopes
        )
        if not authorised or (file is not None and file.withheld):
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        if file is None or file.arrives_after:
            raise web.HTTPNotFound
        if file.redirects_to:
            raise web.HTTPFound(file.redirects_to)
        content_type = file.described.get("mimetype", "image/jpeg")
        if content_type.startswith(SHOWN_AS_PAGES):
            content_type = "text/html"
        return web.Response(body=file.data, content_type=content_type)

    async def handle_upload(self, request: web.Request) -> web.Response:
        file = self.workspace.files.get(request.match_info["id"])
        data = await request.read()
        if file is None or file.uploading != len(data):
            raise web.HTTPBadRequest
        file.data, file.uploading = data, None
        return web.Response(text=f"OK - {len(data)}")

    async def handle_response(self, request: web.Request) -> web.Response:
        answer = await request.json()
        told = {"user": request.match_info["user"], "channel": request.query.get("channel", "")}
        self.responses.append(answer | told | {"ts": self.workspace.next_ts()})
        return web.Response(text="ok")

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.route("*", "/api/{method}", self.handle_call),
            web.get("/link/", self.sockets.handle),
            web.get("/files-pri/{place}/{name}", self.handle_file),
            web.post("/upload/v1/{id}", self.handle_upload),
            web.post("/response/{user}", self.handle_response),
        ]

    async def close(self) -> None:
        await self.sockets.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _failed(fault: Fault) -> web.Response:
    if fault.status != 429:
        return web.Response(status=fault.status, text="upstream error")
    return web.json_response(
        {"ok": False, "error": "ratelimited"},
        status=429,
        headers={"Retry-After": f"{fault.retry_after_s:g}"},
    )


async def _arguments(request: web.Request) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(request.query)
    if request.method == "POST":
        if request.content_type == "application/json":
            arguments |= await request.json()
        else:
            arguments |= dict(await request.post())
    return arguments


@asynccontextmanager
async def running_slack(
    *more_routes: web.AbstractRouteDef, port: int = 0, slack: LocalSlack | None = None
) -> AsyncIterator[LocalSlack]:
    """A local Slack on a port of its own."""
    slack = slack or LocalSlack()
    app = web.Application(client_max_size=60_000_000)
    app.add_routes([*slack.routes(), *more_routes])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    slack.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    slack.sockets.base = slack.base.replace("http", "ws")
    slack.close_idle = partial(close_idle, runner)
    random.seed(0)
    try:
        async with aiohttp.ClientSession() as slack._http:
            yield slack
            await slack.close()
    finally:
        await runner.cleanup()
