"""Backfill: messages that arrived while the bot was offline, each answered once."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bot.platforms.slack.api import SlackRefused, SlackUnreachable, reason
from bot.platforms.slack.events import PLATFORM, Event
from bot.platforms.slack.message_handler import MessageHandler
from bot.platforms.slack.workspaces import Workspace, Workspaces
from bot.store import Store
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

MISSED_S = 15 * 60
MARGIN_S = 60
THREADS_S = 24 * 3600
"""A thread that began so long ago may still get a follow-up."""
MAX_THREADS = 50
PAGE = 200


class Backfill:
    """Reads the history of channels and threads. Lives as long as the adapter."""

    def __init__(
        self, *, store: Store, workspaces: Workspaces, message_handler: MessageHandler
    ) -> None:
        self._store = store
        self._workspaces = workspaces
        self._message_handler = message_handler

    async def catch_up(self, gap_s: float = 0) -> None:
        """Handle every message of the last minutes once more; a claim is never taken twice.

        `gap_s`: seconds without any event.
        """
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
        threads: set[tuple[str, str]] = set()
        with _contained("a workspace's channels"):
            async for channel in self._channels(workspace):
                with _contained("a channel"):
                    threads |= await self._of_channel(workspace, channel, since)
        known = await self._store.recent_threads(
            PLATFORM, workspace.team, age=timedelta(seconds=THREADS_S), limit=MAX_THREADS
        )
        threads |= {(thread.channel, thread.thread) for thread in known}
        for channel_id, thread_ts in sorted(threads):
            with _contained("a thread"):
                await self._of_thread(workspace, channel_id, thread_ts, since)

    async def _channels(self, workspace: Workspace) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = await workspace.api.read(
                "users.conversations",
                types="public_channel,private_channel,mpim,im",
                exclude_archived="true",
                limit=PAGE,
                cursor=cursor or None,
            )
            for channel in page["channels"]:
                yield channel
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    async def _of_channel(
        self, workspace: Workspace, channel: dict[str, Any], since: float
    ) -> set[tuple[str, str]]:
        """Handle a channel's messages. Returns: (channel, ts) of its threads with late replies."""
        page = await workspace.api.read(
            "conversations.history",
            channel=channel["id"],
            oldest=f"{since - THREADS_S + MISSED_S:.6f}",
            limit=PAGE,
        )
        late = set()
        for event in reversed(page["messages"]):
            await self._handle(workspace, channel["id"], event, since)
            if "ts" in event and float(event.get("latest_reply") or 0) >= since:
                late.add((channel["id"], str(event["ts"])))
        return late

    async def _of_thread(
        self, workspace: Workspace, channel: str, thread_ts: str, since: float
    ) -> None:
        page = await workspace.api.read(
            "conversations.replies",
            channel=channel,
            ts=thread_ts,
            oldest=f"{since:.6f}",
            limit=PAGE,
        )
        for event in page["messages"]:
            await self._handle(workspace, channel, event, since)

    async def _handle(self, workspace: Workspace, channel: str, event: Event, since: float) -> None:
        message = self._message_handler.read(workspace, event, channel)
        if message is None or message.sent_at < since:
            return
        with _contained("a message"):
            if not await self._store.inbox.knows(message.key):
                await self._message_handler.on_message(message, from_history=True)


@contextmanager
def _contained(what: str) -> Iterator[None]:
    """Log what fails, and go on with the rest."""
    try:
        yield
    except (SlackRefused, SlackUnreachable) as exc:
        log.warning("%s could not be read: %s", what, reason(exc))
    except Exception as exc:  # noqa: BLE001 - whatever it was, the others are read
        log.error("the backfill of %s failed: %s", what, safe_traceback(exc))
