"""Backfill: messages that arrived while the bot was offline, each answered once."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.platforms.chat.intake import NotTaken
from bot.platforms.slack.api import SlackRefused, SlackUnreachable, reason
from bot.platforms.slack.events import PLATFORM, Event
from bot.platforms.slack.message_handler import MessageHandler
from bot.platforms.slack.shapes import is_ts
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.store import Store
from bot.values.presence import Presence
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

MISSED_S = 15 * 60
MARGIN_S = 60
THREADS_S = 24 * 3600
"""A thread that began so long ago may still get a follow-up."""
MAX_EARLIER = 2000
"""Messages of a channel's last day that are looked at for threads; the last minutes have no
bound."""
MAX_KNOWN_THREADS = 1000
MAX_OTHER_THREADS = 200
"""Threads of which the history says nothing: each costs a call of its own."""
PAGE = 200


@dataclass(slots=True)
class History:
    """What a channel's history says about the last minutes."""

    missed: list[Event] = field(default_factory=list, repr=False)
    """The channel's messages of that time, oldest first."""
    threads: list[str] = field(default_factory=list)
    """Those with replies of that time, by ts."""
    idle: list[str] = field(default_factory=list)
    """Those without. A message that was deleted does not say what its thread has."""


class Backfill:
    """Reads the history of channels and threads. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        store: Store,
        workspaces: Workspaces,
        message_handler: MessageHandler,
        presence: Presence,
    ) -> None:
        self._presence = presence
        self._store = store
        self._workspaces = workspaces
        self._message_handler = message_handler

    async def catch_up(self, gap_s: float = 0) -> None:
        """Handle every message of the last minutes once more; a claim is never taken twice.

        `gap_s`: seconds without any event.
        """
        self._presence.backfilled()
        since = time.time() - max(MISSED_S, gap_s + MARGIN_S)
        try:
            teams = await self._workspaces.teams()
        except Exception as exc:  # noqa: BLE001 - the end of a task: new events are handled all the same
            log.error("missed messages could not be backfilled: %s", safe_traceback(exc))
            return
        for team, enterprise in teams:
            with _contained("a workspace"):
                workspace = await self._workspaces.of(team, enterprise)
                await self._of_workspace(workspace, since)

    async def _of_workspace(self, workspace: Workspace, since: float) -> None:
        read: set[tuple[str, str]] = set()
        with _contained("a workspace's channels"):
            async for channel in _listed(
                workspace,
                "users.conversations",
                "channels",
                types="public_channel,private_channel,mpim,im",
                exclude_archived="true",
            ):
                with _contained("a channel"):
                    history = await _history(workspace, channel["id"], since)
                    read |= {(channel["id"], ts) for ts in (*history.threads, *history.idle)}
                    for event in history.missed:
                        await self._handle(workspace, channel["id"], event, since)
                    for thread_ts in history.threads:
                        await self._of_thread(workspace, channel["id"], thread_ts, since)
        known = await self._store.recent_threads(
            PLATFORM, workspace.team, age=timedelta(seconds=THREADS_S), limit=MAX_KNOWN_THREADS
        )
        others = [thread for thread in known if (thread.channel, thread.thread) not in read]
        for thread in others[:MAX_OTHER_THREADS]:
            await self._of_thread(workspace, thread.channel, thread.thread, since)

    async def _of_thread(
        self, workspace: Workspace, channel: str, thread_ts: str, since: float
    ) -> None:
        with _contained("a thread"):
            async for event in _listed(
                workspace,
                "conversations.replies",
                "messages",
                channel=channel,
                ts=thread_ts,
                oldest=f"{since:.6f}",
            ):
                await self._handle(workspace, channel, event, since)

    async def _handle(self, workspace: Workspace, channel: str, event: Event, since: float) -> None:
        message = self._message_handler.read(workspace, event, channel)
        if message is None or message.sent_at < since:
            return
        with _contained("a message"):
            if not await self._store.inbox.knows(message.key):
                await self._message_handler.on_message(message, from_history=True)


async def _history(workspace: Workspace, channel: str, since: float) -> History:
    """Read a channel's history; what could be read, where it breaks off."""
    history = History()
    num_read = 0
    with _contained("a channel's history"):
        async for event in _listed(
            workspace,
            "conversations.history",
            "messages",
            channel=channel,
            oldest=f"{since - THREADS_S + MISSED_S:.6f}",
        ):
            num_read += 1
            if not is_ts(event.get("ts")):
                continue
            sent_at = float(event["ts"])
            if sent_at < since and num_read > MAX_EARLIER:
                break
            if sent_at >= since:
                history.missed.append(event)
            late = str(event.get("latest_reply"))
            if is_ts(late):
                threads = history.threads if float(late) >= since else history.idle
                threads.append(event["ts"])
    history.missed.reverse()
    return history


async def _listed(
    workspace: Workspace, method: str, what: str, **arguments: str
) -> AsyncIterator[dict[str, Any]]:
    """Everything that a method lists, page by page."""
    cursor = ""
    while True:
        page = await workspace.api.read(method, limit=PAGE, cursor=cursor or None, **arguments)
        for one in page[what]:
            yield one
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return


@contextmanager
def _contained(what: str) -> Iterator[None]:
    """Log what fails, and go on with the rest."""
    try:
        yield
    except NotTaken:
        log.info("%s is left to the next start", what)
    except (SlackRefused, SlackUnreachable) as exc:
        log.warning("%s could not be read: %s", what, reason(exc))
    except Exception as exc:  # noqa: BLE001 - whatever it was, the others are read
        log.error("the backfill of %s failed: %s", what, safe_traceback(exc))
