"""What the adapter's parts share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.platforms.slack.pictures.finder import Pictures
from bot.platforms.slack.replies.sessions import UnendedSessions
from bot.platforms.slack.workspaces import Workspaces
from bot.store import Store
from bot.values.messages import MessageKey
from bot.values.turns import ChannelPlace
from inference.errors import safe_traceback

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """Shared by the message handler and every exchange. Lives as long as the adapter."""

    workspaces: Workspaces
    store: Store
    pictures: Pictures
    sessions: UnendedSessions
    stop: Callable[[MessageKey], Awaitable[object]]
    preset_names: Callable[[str, ChannelPlace], Awaitable[list[str]]]
    """Of a language and a channel; see `Core`."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def in_background(self, work: Coroutine[Any, Any, None], *, name: str = "slack-aside") -> None:
        """Do something that nobody waits for; its failure goes to the log."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("something beside an answer failed: %s", safe_traceback(exc))
