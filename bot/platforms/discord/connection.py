"""The connection to Discord: logged in, sharded, made anew where discord.py gives up."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import sys
import time
from typing import Any, Protocol

import aiohttp
import discord
from discord import app_commands

from bot.platforms.chat.tenure import CLOSING_S, Tenure
from bot.platforms.discord.api import UNREACHABLE_PAUSE_S, Budget, DiscordRefused, closed, read
from bot.platforms.discord.invitation import application_of
from bot.platforms.discord.network import Network
from bot.platforms.discord.parsing import State
from bot.platforms.discord.replies.layout import ButtonListener
from bot.platforms.discord.settings import DiscordSettings, DiscordTiming
from bot.platforms.platform import PlatformUnavailable
from bot.settings import revealed
from bot.store import Leases
from bot.values.messages import TryLater
from bot.values.presence import Presence
from inference.errors import safe_traceback
from inference.failures import in_one_line

log = logging.getLogger(__name__)

UNREACHABLE = (aiohttp.ClientError, OSError, discord.HTTPException, discord.GatewayNotFound)
"""What becomes of a connection in a network that fails, or while Discord does."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0
"""Each attempt takes one of the thousand new sessions that Discord allows a day."""
LASTED_S = 60.0
"""A connection that has lasted so long was a good one."""
LOGIN_PAUSE_S = 10.0
MAX_WAIT_S = 60.0
"""discord.py waits this long for a rate limit by itself; longer ones raise."""

LOGIN_REFUSED = (
    "Discord refuses DISCORD_BOT_TOKEN: copy it anew from the Developer Portal, your application, "
    "Bot, Reset Token."
)
CONTENT_INTENT = (
    "switch on Message Content Intent in the Developer Portal, your application, Bot, Privileged "
    "Gateway Intents; until then follow-ups need a mention"
)
CLOSED_FOR_GOOD = {
    4004: LOGIN_REFUSED,
    4010: "Discord refuses these shards: check DISCORD_SHARD_IDS and DISCORD_SHARD_COUNT.",
    4011: "Discord wants more shards: raise DISCORD_SHARD_COUNT, or leave it out.",
    4012: "Discord no longer speaks this version of its gateway: update llava-bot.",
    4013: "Discord does not know one of the intents: update llava-bot.",
}
"""Closing code of the gateway → what to do; trying again would not help."""


class TenureLost(Exception):
    """The connection may be another process's soon."""


def leases_of(settings: DiscordSettings) -> list[str]:
    """A lease per shard that this process connects; one for all where Discord says how many."""
    token = revealed(settings.bot_token) or ""
    application = application_of(token) or hashlib.sha256(token.encode()).hexdigest()[:16]
    count = settings.shard_count
    if count is None:
        return [f"discord {application} gateway"]
    shards = sorted(settings.shard_ids) or range(count)
    return [f"discord {application} shard {shard} of {count}" for shard in shards]


class GatewayListener(Protocol):
    """Receives what the gateway reports of messages, threads and sessions."""

    async def on_message(self, message: discord.Message) -> None: ...

    async def on_edit(self, payload: discord.RawMessageUpdateEvent) -> None: ...

    async def on_delete(self, guild: str, channel: str, messages: set[int]) -> None: ...

    async def on_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None: ...

    async def on_shard_ready(self, shard: int) -> None: ...

    async def on_unparsed(self, channel: int) -> None: ...


class InteractionListener(ButtonListener, Protocol):
    """Receives commands, buttons and modals."""

    def register(self, client: Client, tree: app_commands.CommandTree[Any]) -> None: ...

    @property
    def translator(self) -> app_commands.Translator: ...

    async def on_modal(self, interaction: discord.Interaction[Any]) -> None: ...


class Client(discord.AutoShardedClient):
    """discord.py's client; it passes events on to two listeners."""

    def __init__(
        self,
        *,
        messages: GatewayListener,
        interactions: InteractionListener,
        presence: Presence,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._presence = presence
        self._connected: set[int] = set()
        self._messages = messages
        self.interactions = interactions

    def _get_state(self, **options: Any) -> State:
        return State(
            dispatch=self.dispatch,
            handlers=self._handlers,
            hooks=self._hooks,
            http=self.http,
            **options,
        )

    async def on_message(self, message: discord.Message) -> None:
        """A message was sent."""
        await self._messages.on_message(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Raw: after a restart no message is in discord.py's memory."""
        await self._messages.on_edit(payload)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A message was deleted."""
        await self._messages.on_delete(
            str(payload.guild_id or ""), str(payload.channel_id), {payload.message_id}
        )

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """A moderator deleted several."""
        await self._messages.on_delete(
            str(payload.guild_id or ""), str(payload.channel_id), payload.message_ids
        )

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """A thread was deleted with all that is in it."""
        await self._messages.on_thread_delete(payload)

    async def on_shard_ready(self, shard: int) -> None:
        """A new session: Discord does not repeat what was sent before it."""
        self._shard_connected(shard)
        await self._messages.on_shard_ready(shard)

    async def on_shard_resumed(self, shard: int) -> None:
        """The session goes on over another connection."""
        self._shard_connected(shard)

    async def on_shard_disconnect(self, shard: int) -> None:
        """Nothing comes over it until it is ready, or has resumed."""
        self._connected.discard(shard)
        self._presence.disconnected()

    async def on_socket_event_type(self, _event: str) -> None:
        """Discord sent something."""
        self._presence.event()

    def _shard_connected(self, shard: int) -> None:
        self._connected.add(shard)
        if self._connected >= set(self.shards):
            self._presence.connected()

    async def on_unparsed(self, event: str, channel: int) -> None:
        """An event could not be parsed: it may have been a question."""
        if channel:
            await self._messages.on_unparsed(channel)
        else:
            log.info("%s was skipped", event)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Modals are taken here: discord.py forgets them with a restart."""
        if interaction.type is discord.InteractionType.modal_submit:
            await self.interactions.on_modal(interaction)

    async def on_error(self, event: str, /, *_args: Any, **_kwargs: Any) -> None:
        """Nothing that people wrote reaches the log."""
        exc = sys.exc_info()[1]
        log.error("%s failed: %s", event, "" if exc is None else safe_traceback(exc))


class Connection:
    """Holds the client of the moment. Lives as long as the adapter."""

    def __init__(
        self,
        settings: DiscordSettings,
        timing: DiscordTiming,
        leases: Leases,
        presence: Presence,
    ) -> None:
        self._settings = settings
        self._presence = presence
        presence.places = self._servers
        self._timing = timing
        self._tenure = Tenure(leases, [leases_of(settings)], what="Discord")
        self._network: Network | None = None
        self._client: Client | None = None
        self._running: asyncio.Task[None] | None = None
        self._logged_in = asyncio.Event()
        self.sees_all_messages = True
        """Whether Discord sends the content of messages that do not mention the bot."""
        self.timeout_s = timing.api_timeout_s
        self.budget = Budget()

    @property
    def client(self) -> Client:
        """discord.py's client. Raises: TryLater, while it is being made anew."""
        if self._client is None:
            raise TryLater(UNREACHABLE_PAUSE_S)
        return self._client

    @property
    def network(self) -> Network:
        """How Discord's hosts are reached. Raises: TryLater, before it is known."""
        if self._network is None:
            raise TryLater(UNREACHABLE_PAUSE_S)
        return self._network

    @property
    def bot_user(self) -> int:
        """The bot's own id."""
        return 0 if self.client.user is None else self.client.user.id

    def _servers(self) -> list[str]:
        return [] if self._client is None else sorted(guild.name for guild in self._client.guilds)

    async def partial_channel(self, channel: int | str) -> discord.PartialMessageable:
        """A channel or a thread to read and write in, known or not; waits for the login."""
        await self._login()
        return self.client.get_partial_messageable(int(channel))

    async def channel(self, channel: int | str) -> discord.abc.Snowflake | None:
        """A channel with what is known of it; `None`: the bot may not see it."""
        await self._login()
        known = self.client.get_channel(int(channel))
        if known is not None:
            return known
        try:
            return await read(lambda: self._fetched(int(channel)), timeout_s=self.timeout_s)
        except DiscordRefused:
            return None

    async def _fetched(self, channel: int) -> discord.abc.Snowflake:
        """A channel that is not known; as little as its id, where it cannot be parsed."""
        try:
            return await self.client.fetch_channel(channel)
        except (AttributeError, LookupError, TypeError, ValueError, discord.InvalidData) as exc:
            log.warning("a channel could not be parsed: %s", safe_traceback(exc))
            return self.client.get_partial_messageable(channel)

    async def _login(self) -> None:
        """Wait for it. Raises: TryLater, when it takes too long."""
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._logged_in.wait()
        except TimeoutError:
            raise TryLater(LOGIN_PAUSE_S) from None

    # -- from start to end --------------------------------------------------------------------

    async def open(self, messages: GatewayListener, interactions: InteractionListener) -> None:
        """Connect, and stay connected. Raises: PlatformUnavailable."""
        await self._make(messages, interactions)
        try:
            await self._log_in()
        except discord.LoginFailure:
            raise PlatformUnavailable(LOGIN_REFUSED) from None
        except UNREACHABLE as exc:
            log.warning("Discord cannot be reached yet (%s): trying again", in_one_line(exc))
            await self._drop_client()
        self._running = asyncio.create_task(self._run(messages, interactions), name="discord")

    async def close(self) -> None:
        """Disconnect."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
        await self._drop_client()
        await self._tenure.end()

    async def _run(self, messages: GatewayListener, interactions: InteractionListener) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._be_logged_in(messages, interactions)
                self._presence.disconnected(stands_by=self._tenure.is_shared)
                await self._tenure.begin()
                self._presence.stands_by = False
                began_at = time.monotonic()
                publishing = asyncio.create_task(
                    self._publish_commands(interactions.translator), name="commands"
                )
                try:
                    await self._connected()
                finally:
                    publishing.cancel()
                    if time.monotonic() - began_at > LASTED_S:
                        pause_s = FIRST_PAUSE_S
            except TenureLost:
                pause_s = 0
            except discord.PrivilegedIntentsRequired:
                self.sees_all_messages = False
                log.warning("Discord sends mentions only: %s.", CONTENT_INTENT)
                pause_s = 0
            except discord.LoginFailure:
                log.error("Discord does not run: %s", LOGIN_REFUSED)
                break
            except discord.ConnectionClosed as exc:
                if exc.code in CLOSED_FOR_GOOD:
                    log.error("Discord does not run: %s", CLOSED_FOR_GOOD[exc.code])
                    break
                log.warning(
                    "Discord closed the connection (%s): trying again in %.0f s", exc.code, pause_s
                )
            except Exception as exc:  # noqa: BLE001 - whatever discord.py gives up with: once more
                why = in_one_line(exc) if isinstance(exc, UNREACHABLE) else safe_traceback(exc)
                log.warning("no connection to Discord (%s): trying again in %.0f s", why, pause_s)
            await self._drop_client()
            # Another process may reach Discord where this one does not.
            await self._tenure.end()
            await asyncio.sleep(pause_s)
            pause_s = min(max(2 * pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        await self._drop_client()
        await self._tenure.end()

    async def _connected(self) -> None:
        """Stay connected. Raises: TenureLost; what discord.py gives up with."""
        connecting = asyncio.create_task(self.client.connect(), name="discord-gateway")
        losing = asyncio.create_task(self._tenure.lost(), name="discord-lease")
        try:
            await asyncio.wait({connecting, losing}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise TenureLost
            await connecting
        finally:
            for task in (connecting, losing):
                task.cancel()
            await asyncio.gather(connecting, losing, return_exceptions=True)

    async def leave_gateway(self) -> None:
        """Let another process connect, if there may be one; replies are still written."""
        if not self._tenure.is_shared or self._running is None:
            return
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._running = None
        client = self._client
        if client is not None:
            ending = [shard.disconnect() for shard in client.shards.values()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_S):
                    await asyncio.gather(*ending, return_exceptions=True)
        await self._tenure.end()

    async def _be_logged_in(
        self, messages: GatewayListener, interactions: InteractionListener
    ) -> None:
        """Replies can be written, also by a process that stands by."""
        if self._client is None:
            await self._make(messages, interactions)
        if not self._logged_in.is_set():
            await self._log_in()

    async def _log_in(self) -> None:
        await self.client.login(revealed(self._settings.bot_token) or "")
        self._logged_in.set()

    async def _make(self, messages: GatewayListener, interactions: InteractionListener) -> None:
        """A client that has not logged in yet. Raises: PlatformUnavailable."""
        if self._network is None:
            # In a thread: it reads certificates.
            self._network = await asyncio.to_thread(Network, self._settings)
        intents = discord.Intents(
            guilds=True,
            guild_messages=True,
            dm_messages=True,
            message_content=self.sees_all_messages,
        )
        # It says at each start that it cannot talk: it need not.
        logging.getLogger("discord.client").setLevel(logging.ERROR)
        self._client = Client(
            messages=messages,
            interactions=interactions,
            presence=self._presence,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            connector=self._network.connector(),
            proxy=self._network.proxy,
            max_messages=None,  # messages are kept in the store, not in memory
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_ratelimit_timeout=MAX_WAIT_S,
            heartbeat_timeout=self._timing.heartbeat_timeout_s,
            guild_ready_timeout=self._timing.guild_ready_s,
            shard_count=self._settings.shard_count,
            shard_ids=sorted(self._settings.shard_ids) or None,
        )
        self._tree: app_commands.CommandTree[Any] = app_commands.CommandTree(
            self._client,
            # In servers it was invited into, and with people who write to it; not as an app that
            # somebody takes along into servers where it is not.
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=False
            ),
        )
        interactions.register(self._client, self._tree)

    async def _publish_commands(self, translator: app_commands.Translator) -> None:
        """Publish the slash commands."""
        try:
            await self._tree.set_translator(translator)
            await read(self._tree.sync, timeout_s=self.timeout_s)
        except (DiscordRefused, TryLater) as exc:
            log.warning("the commands could not be published: %s", exc)
        except Exception as exc:  # noqa: BLE001 - the end of a task; mentions work without them
            log.warning("the commands could not be published: %s", safe_traceback(exc))

    async def _drop_client(self) -> None:
        client, self._client = self._client, None
        self._presence.disconnected()
        self._logged_in.clear()
        if client is not None:
            try:
                await closed(client.close())
            finally:
                await closed(client.http.close())  # the close may be unanswered: cut the sockets
