"""What the adapter's handlers and exchanges share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.platforms.discord.connection import Connection
from bot.platforms.discord.locales import Locales
from bot.platforms.discord.pictures import Pictures
from bot.platforms.discord.replies.destinations import Destinations
from bot.platforms.discord.replies.notices import Notices
from bot.platforms.discord.replies.notifier import Notifier
from bot.platforms.discord.replies.parts import EditPacer
from bot.store import Store
from bot.values.messages import IncomingMessage
from bot.values.turns import ChannelPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """Made once, by the adapter."""

    connection: Connection
    store: Store
    pictures: Pictures
    destinations: Destinations
    notices: Notices
    notifier: Notifier
    locales: Locales
    forget: Callable[[IncomingMessage], Coroutine[Any, Any, None]]
    """A question that is no longer there."""
    pacer: EditPacer
    preset_names: Callable[[str, ChannelPlace], Awaitable[list[str]]]
    """Of a language and a channel; see `Core`."""
    needs_mention_told: set[str] = field(default_factory=set)
    """Servers that know that follow-ups need a mention."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def in_background(
        self, work: Coroutine[Any, Any, None], *, name: str = "discord-aside"
    ) -> asyncio.Task[None]:
        """Do something that nobody waits for."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
