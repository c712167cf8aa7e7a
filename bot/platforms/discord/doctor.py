"""Looks at the Discord set-up from the outside in, and names the fix for what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord

from bot.platforms.clock import clock
from bot.platforms.discord.connection import CLOSED_FOR_GOOD, CONTENT_INTENT, LOGIN_REFUSED
from bot.platforms.discord.invitation import invitation
from bot.platforms.discord.network import Network
from bot.platforms.discord.permissions import NEEDED, missing_in, needed_in, permission_name
from bot.platforms.discord.replies.layout import NO_PINGS
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.findings import Finding, Verdict
from bot.platforms.platform import PlatformUnavailable
from bot.settings import revealed
from inference.failures import in_one_line

CONNECT_S = 15
MAX_SERVERS = 100
MAX_CHANNELS_NAMED = 5


async def examine(settings: DiscordSettings, *, channel: str | None = None) -> list[Finding]:
    """Check token, intents, gateway, and permissions in each server and its channels.

    With `channel`, a message is posted there and deleted again.
    """
    try:
        network = await asyncio.to_thread(Network, settings)
    except PlatformUnavailable as exc:
        return [Finding("the way to Discord", str(exc))]
    async with _client(network) as client:
        try:
            await client.login(revealed(settings.bot_token) or "")
        except discord.LoginFailure:
            return [Finding("DISCORD_BOT_TOKEN is refused", LOGIN_REFUSED)]
        except (aiohttp.ClientError, OSError, discord.HTTPException) as exc:
            return [
                Finding(
                    f"Discord cannot be reached ({in_one_line(exc)})",
                    "check the network, HTTPS_PROXY if there is a proxy, and DISCORD_RESOLVE_TO.",
                )
            ]
        findings = [
            Finding(f"bot token: {client.user}"),
            await _clock(network),
            _intent(client),
            await _gateway(settings, network),
            *await _servers(client),
        ]
        if channel is not None:
            findings.append(await _posted(client, channel))
        return findings


async def verify(settings: DiscordSettings) -> Verdict:
    """Ask Discord whose the token is."""
    try:
        network = await asyncio.to_thread(Network, settings)
        async with _client(network) as client:
            await client.login(revealed(settings.bot_token) or "")
            return Verdict(accepted=True, detail=str(client.user))
    except discord.LoginFailure:
        return Verdict(accepted=False, detail="401")
    except (aiohttp.ClientError, OSError, discord.HTTPException) as exc:
        return Verdict(accepted=None, detail=in_one_line(exc))
    except PlatformUnavailable as exc:
        return Verdict(accepted=None, detail=str(exc))


@asynccontextmanager
async def _client(network: Network, **options: Any) -> AsyncIterator[discord.Client]:
    client = discord.Client(
        intents=discord.Intents(guilds=True),
        connector=network.connector(),
        proxy=network.proxy,
        **options,
    )
    try:
        yield client
    finally:
        await client.close()


async def _clock(network: Network) -> Finding:
    """discord.py shows no headers, so one request is made without it."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=network.connector(), timeout=aiohttp.ClientTimeout(total=CONNECT_S)
            ) as session,
            session.get(f"{discord.http.Route.BASE}/gateway", proxy=network.proxy) as response,
        ):
            return clock(response.headers.get("Date"), of="Discord")
    except (aiohttp.ClientError, OSError) as exc:
        return Finding("clock", f"Discord's was not read ({in_one_line(exc)}).", unknown=True)


def _intent(client: discord.Client) -> Finding:
    flags = client.application_flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        return Finding("Message Content Intent: on")
    return Finding("Message Content Intent is off", f"{CONTENT_INTENT}.")


async def _gateway(settings: DiscordSettings, network: Network) -> Finding:
    """Whether a first shard is let in."""
    async with _client(network, shard_id=0, shard_count=settings.shard_count or 1) as client:
        connected = asyncio.Event()

        @client.event
        async def on_connect() -> None:
            connected.set()

        try:
            await client.login(revealed(settings.bot_token) or "")
        except (aiohttp.ClientError, OSError, discord.DiscordException) as exc:
            return Finding("gateway", f"not reached ({in_one_line(exc)}).", unknown=True)
        running = asyncio.create_task(client.connect(reconnect=False))
        waiting = asyncio.create_task(connected.wait())
        await asyncio.wait(
            {running, waiting}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        if connected.is_set():
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return Finding("gateway: Discord lets it in")
        failure = running.exception() if running.done() else None
        running.cancel()
        if isinstance(failure, discord.ConnectionClosed) and failure.code in CLOSED_FOR_GOOD:
            return Finding(
                f"the gateway refuses the bot ({failure.code})", CLOSED_FOR_GOOD[failure.code]
            )
        why = "timed out" if failure is None else in_one_line(failure)
        return Finding(
            f"the gateway cannot be reached ({why})",
            "let wss://*.discord.gg through the firewall or the proxy.",
        )


async def _servers(client: discord.Client) -> list[Finding]:
    try:
        found = [guild async for guild in client.fetch_guilds(limit=MAX_SERVERS)]
    except (aiohttp.ClientError, OSError, discord.HTTPException) as exc:
        reason = f"they could not be listed ({in_one_line(exc)})."
        return [Finding("servers", reason, unknown=True)]
    if not found:
        application = str(client.application_id)
        return [Finding("it is in no server yet", f"open {invitation(application)}")]
    findings: list[Finding] = []
    for guild in found:
        try:
            findings += await _server(client, guild.id)
        except (aiohttp.ClientError, OSError, discord.HTTPException) as exc:
            findings.append(
                Finding(guild.name, f"it could not be checked ({in_one_line(exc)}).", unknown=True)
            )
    return findings


async def _server(client: discord.Client, guild_id: int) -> list[Finding]:
    guild = await client.fetch_guild(guild_id)
    me = await guild.fetch_member(client.user.id if client.user else 0)
    missing = [name for name in NEEDED if not getattr(me.guild_permissions, name)]
    if missing:
        names = ", ".join(permission_name("en", name) for name in missing)
        return [
            Finding(
                f"{guild.name}: missing {names}",
                f"Server Settings, Roles, the bot's role: allow {names}; or open "
                f"{invitation(str(client.application_id))} again.",
            )
        ]
    channels = [channel for channel in await guild.fetch_channels() if needed_in(channel)]
    short = {channel: lacks for channel in channels if (lacks := missing_in(channel, me))}
    findings = [Finding(f"{guild.name}: {len(channels) - len(short)} channels it can answer in")]
    for channel, lacks in list(short.items())[:MAX_CHANNELS_NAMED]:
        names = ", ".join(permission_name("en", name) for name in lacks)
        findings.append(
            Finding(
                f"{guild.name}, #{channel.name}: missing {names}",
                f"Edit Channel, Permissions, the bot's role: allow {names}; or leave it so, if the "
                "bot is not to answer there.",
                unknown=True,
            )
        )
    if len(short) > MAX_CHANNELS_NAMED:
        findings.append(Finding(f"{guild.name}: and {len(short) - MAX_CHANNELS_NAMED} more"))
    return findings


async def _posted(client: discord.Client, channel: str) -> Finding:
    messageable = client.get_partial_messageable(int(channel))
    try:
        message = await messageable.send("llava-bot doctor", allowed_mentions=NO_PINGS)
        await message.delete()
    except discord.HTTPException as exc:
        return Finding(
            f"nothing could be posted in {channel} ({exc.code})",
            "allow the bot's role View Channel and Send Messages there, or name another channel.",
        )
    return Finding(f"channel {channel}: a message was posted and deleted")
