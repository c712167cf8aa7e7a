"""The Discord adapter behind `Platform`."""

from __future__ import annotations

import asyncio

from bot.core.addressing import Addressing
from bot.core.commands import Commands
from bot.core.erasure import Erasure
from bot.images.public_web import PublicWeb
from bot.platforms.discord.backfill import Backfill
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.deferrals import Deferrals
from bot.platforms.discord.events import PLATFORM
from bot.platforms.discord.interaction_handler import InteractionHandler
from bot.platforms.discord.locales import Locales
from bot.platforms.discord.message_handler import MessageHandler
from bot.platforms.discord.pictures import Pictures
from bot.platforms.discord.replies.context import AdapterContext
from bot.platforms.discord.replies.destinations import Destinations
from bot.platforms.discord.replies.exchange import DiscordExchange
from bot.platforms.discord.replies.notices import Notices
from bot.platforms.discord.replies.notifier import Notifier
from bot.platforms.discord.replies.parts import EditPacer
from bot.platforms.discord.replies.responses import Responses
from bot.platforms.discord.settings import DEFAULT_TIMING, DiscordSettings, DiscordTiming
from bot.platforms.platform import Core
from bot.store import Store
from bot.values.messages import IncomingMessage
from bot.values.presence import Presence


class Discord:
    """Implements `bot.platforms.platform.Platform`."""

    name = PLATFORM
    address = None

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        addressing: Addressing,
        commands: Commands,
        erasure: Erasure,
        settings: DiscordSettings,
        fetch_links: bool,
        pictures_per_question: int,
        timing: DiscordTiming = DEFAULT_TIMING,
        private_hosts: frozenset[str] = frozenset(),
        presence: Presence | None = None,
    ) -> None:
        """`private_hosts`: see `PublicWeb`."""
        self._core = core
        self._presence = presence or Presence(PLATFORM)
        self.connection = Connection(settings, timing, store.leases, self._presence)
        responses = Responses(self.connection)
        self._pictures = Pictures(
            connection=self.connection,
            store=store,
            addressing=addressing,
            web=PublicWeb(private_hosts),
            fetch_links=fetch_links,
            pictures_per_question=pictures_per_question,
        )
        self._adapter = AdapterContext(
            connection=self.connection,
            store=store,
            pictures=self._pictures,
            destinations=Destinations(self.connection),
            notices=Notices(
                connection=self.connection,
                store=store,
                pictures=self._pictures,
                responses=responses,
            ),
            notifier=Notifier(self.connection),
            locales=Locales(store.people),
            forget=self._forget,
            pacer=EditPacer(timing.pace_s),
            preset_names=core.preset_names,
        )
        self._backfill = Backfill(connection=self.connection, store=store)
        self._messages = MessageHandler(
            core=core,
            addressing=addressing,
            commands=commands,
            erasure=erasure,
            adapter=self._adapter,
            catch_up=self._catch_up,
            backfill_channel=lambda channel: self._backfill.backfill_channel(
                self._messages, channel
            ),
        )
        self._deferrals = Deferrals(self._adapter, responses)
        self._has_ended_deferrals = False
        self._interactions = InteractionHandler(
            core=core,
            store=store,
            messages=self._messages,
            adapter=self._adapter,
            deferrals=self._deferrals,
        )

    async def _catch_up(self, shard: int) -> None:
        """A shard has a new session."""
        if not self._has_ended_deferrals:  # once: later ones are this run's own
            self._has_ended_deferrals = True
            self._adapter.in_background(self._deferrals.end_those_left())
            self._adapter.in_background(
                self._messages.removals.keep_removing(), name="discord-removals"
            )
        self._presence.backfilled()
        await self._backfill.catch_up(self._messages, shard)

    async def _forget(self, question: IncomingMessage) -> None:
        await self._messages.forget(question)

    def resume(self, message: IncomingMessage) -> None:
        """See `Platform.resume`: the reply goes on in the messages it had begun."""
        self._core.resume(message, DiscordExchange(self._adapter, message, begun=True))

    async def start(self) -> None:
        """Connect. Raises: PlatformUnavailable."""
        await self.connection.open(self._messages, self._interactions)

    async def stop_intake(self) -> None:
        """Take no more input; the next start finds what is sent from now on.

        What replies in flight need stays connected.
        """
        self._messages.intake.is_open = False
        await self.connection.leave_gateway()

    async def close(self) -> None:
        """Close every connection."""
        await self.stop_intake()
        for task in list(self._adapter.tasks):
            task.cancel()
        await asyncio.gather(*self._adapter.tasks, return_exceptions=True)
        await self.connection.close()
        await self._pictures.close()
