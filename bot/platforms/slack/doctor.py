"""Looks at the Slack set-up from the outside in, and names the fix for what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.clock import clock
from bot.platforms.findings import Finding, Verdict
from bot.platforms.slack.api import API_TIMEOUT_S, SlackApi, SlackRefused, SlackUnreachable
from bot.platforms.slack.http import EVENTS
from bot.platforms.slack.manifest import BOT_EVENTS, BOT_SCOPES
from bot.platforms.slack.settings import SlackSettings
from bot.settings import revealed
from bot.values.messages import TryLater
from inference.failures import in_one_line

HELLO_S = 10
EVENT_S = 10

REINSTALL = "then Install App, Reinstall to Workspace"


async def examine(settings: SlackSettings, *, channel: str | None = None) -> list[Finding]:
    """Look at tokens, scopes, clock, Socket Mode or HTTP mode, channels and events.

    With `channel`, it posts a message there, waits for its event, and deletes it.
    """
    async with _session() as session:
        api = partial(_api, settings, session)
        bot_token, app_token = revealed(settings.bot_token), revealed(settings.app_token)
        bot = None if bot_token is None else api(bot_token)
        if bot is None:
            findings = [Finding("no SLACK_BOT_TOKEN: workspaces install the app by OAuth")]
        else:
            findings = await _token(bot)
            if not findings[0].is_well:
                return findings
            findings += await _channels(bot)
        if app_token is not None:
            findings += await _socket(api(app_token), bot, session, channel)
        else:
            findings.append(
                Finding(
                    "HTTP mode: Slack must reach it from outside",
                    f"check that https://YOUR-HOST{EVENTS} leads to "
                    f"{settings.http_host}:{settings.http_port}, and that Slack shows Verified "
                    "under Event Subscriptions.",
                    unknown=True,
                )
            )
        return findings


async def verify(settings: SlackSettings, token: str) -> Verdict:
    """Ask Slack about one of `bot_token` and `app_token`."""
    async with _session() as session:
        api = _api(settings, session, revealed(getattr(settings, token)) or "")
        try:
            if token == "app_token":  # noqa: S105 - a field's name
                await api.write("apps.connections.open")
                return Verdict(accepted=True, detail="Socket Mode")
            who = await api.read("auth.test")
            return Verdict(accepted=True, detail=f"{who.get('user')}, {who.get('team')}")
        except SlackRefused as exc:
            return Verdict(accepted=False, detail=str(exc))
        except SlackUnreachable as exc:
            return Verdict(accepted=None, detail=str(exc))
        except TryLater:
            return Verdict(accepted=None, detail="no answer")


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=API_TIMEOUT_S), trust_env=True)


def _api(settings: SlackSettings, session: aiohttp.ClientSession, token: str) -> SlackApi:
    return SlackApi(
        AsyncWebClient(token, base_url=settings.api_url, session=session, retry_handlers=[])
    )


async def _token(bot: SlackApi) -> list[Finding]:
    try:
        who = await bot.read("auth.test")
    except SlackRefused as exc:
        return [
            Finding(
                f"SLACK_BOT_TOKEN is refused ({exc})",
                "copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions.",
            )
        ]
    except SlackUnreachable as exc:
        return [
            Finding(
                f"Slack cannot be reached ({exc})",
                "check SLACK_API_URL, the network, and HTTPS_PROXY if there is a proxy.",
            )
        ]
    headers = {name.lower(): value for name, value in who["_headers"].items()}
    return [
        Finding(f"bot token: {who.get('user')} in {who.get('team')}"),
        *_scopes(headers.get("x-oauth-scopes", "")),
        clock(headers.get("date"), of="Slack"),
    ]


def _scopes(header: str) -> list[Finding]:
    granted = {scope.strip() for scope in header.split(",")}
    missing = [scope for scope in BOT_SCOPES if scope not in granted]
    if not missing:
        return [Finding(f"scopes: all {len(BOT_SCOPES)}")]
    return [
        Finding(
            f"the scope {scope} is missing ({BOT_SCOPES[scope]})",
            f"OAuth & Permissions, Bot Token Scopes: add {scope}, {REINSTALL}.",
        )
        for scope in missing
    ]


async def _channels(bot: SlackApi) -> list[Finding]:
    try:
        page = await bot.read(
            "users.conversations", types="public_channel,private_channel", limit=200
        )
    except (SlackRefused, SlackUnreachable) as exc:
        return [Finding("channels", f"they could not be listed ({exc}).", unknown=True)]
    count = len(page["channels"])
    if count:
        return [Finding(f"channels: it is in {count}{' or more' if count == 200 else ''}")]
    return [Finding("it is in no channel yet", "in a channel, write /invite @llava-bot.")]


async def _socket(
    app: SlackApi, bot: SlackApi | None, session: aiohttp.ClientSession, channel: str | None
) -> list[Finding]:
    try:
        opened = await app.write("apps.connections.open")
    except SlackRefused as exc:
        return [
            Finding(
                f"SLACK_APP_TOKEN is refused ({exc})",
                "Basic Information, App-Level Tokens: make one (xapp-…) with connections:write; "
                "and switch Socket Mode on under Socket Mode.",
            )
        ]
    except TryLater:
        return [Finding("Socket Mode", "Slack did not answer; try again.", unknown=True)]
    try:
        async with _connected(session, opened["url"]) as (socket, hello):
            findings = [Finding("Socket Mode: Slack says hello")]
            others = int(hello.get("num_connections", 1)) - 1
            if others:
                findings.append(Finding(f"{others} more connected: events are shared among them"))
            findings.append(await _events(socket, bot, channel))
            return findings
    except (aiohttp.ClientError, TimeoutError, TypeError, OSError) as exc:
        return [
            Finding(
                f"Slack's socket cannot be reached ({in_one_line(exc)})",
                "let wss://*.slack.com through the firewall or the proxy.",
            )
        ]


@asynccontextmanager
async def _connected(
    session: aiohttp.ClientSession, url: str
) -> AsyncIterator[tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]]:
    async with session.ws_connect(url) as socket, asyncio.timeout(HELLO_S + EVENT_S):
        hello = await socket.receive_json(timeout=HELLO_S)
        yield socket, hello


async def _events(
    socket: aiohttp.ClientWebSocketResponse, bot: SlackApi | None, channel: str | None
) -> Finding:
    """Whether a message that is posted comes back as an event."""
    needed = ", ".join(BOT_EVENTS)
    if channel is None or bot is None:
        return Finding(
            f"events ({needed})",
            "run llava-bot doctor --channel C… to post a message there and wait for its event.",
            unknown=True,
        )
    text = f"llava-bot doctor {uuid.uuid4().hex}"
    try:
        posted = await bot.write("chat.postMessage", channel=channel, text=text)
    except (SlackRefused, TryLater) as exc:
        return Finding(
            f"nothing could be posted in {channel} ({exc})",
            "write /invite @llava-bot there, or name another channel.",
        )
    try:
        async with asyncio.timeout(EVENT_S):
            while True:
                envelope = await socket.receive_json()
                event = (envelope.get("payload") or {}).get("event") or {}
                if event.get("text") == text:
                    await socket.send_str(json.dumps({"envelope_id": envelope["envelope_id"]}))
                    return Finding("events: a posted message came back as an event")
    except (TimeoutError, TypeError):
        return Finding(
            "events do not arrive: a posted message did not come back",
            f"Event Subscriptions, Subscribe to bot events: {needed}; {REINSTALL}. If another "
            "process is connected, stop it and try again.",
        )
    finally:
        with contextlib.suppress(SlackRefused, TryLater):
            await bot.patient_write("chat.delete", channel=channel, ts=posted["ts"])
