"""Agent sessions: Slack's own status beside a thread, which ends even if the process ends first.

An answer does not wait for Slack to end its status. Once its question has left the inbox, nothing
but the record here tells the next start that the status still stands.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from bot.platforms.slack.api import (
    UNREACHABLE_PAUSE_S,
    UNSUPPORTED,
    SlackRefused,
    SlackUnreachable,
    Unsure,
)
from bot.platforms.slack.workspaces import NotInstalled, Workspace, Workspaces
from bot.store import Store, StoreFailed
from bot.values.messages import IncomingMessage, ThreadKey, TryLater
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

LEFT = "slack session"
MAX_PAUSE_S = 60.0


async def set_session(
    workspace: Workspace, channel: str, thread: str, author: str, status: str
) -> None:
    """``processing`` or ``active``. Raises: TryLater, Unsure, SlackRefused."""
    await workspace.api.write(
        "agents.sessions.setStatus",
        channel_id=channel,
        thread_ts=thread,
        status=status,
        initiator_user_id=author,
    )


class UnendedSessions:
    """Those whose end Slack has put off. Lives as long as the adapter."""

    def __init__(self, store: Store, workspaces: Workspaces) -> None:
        self._store = store
        self._workspaces = workspaces
        self._ending: set[str] = set()

    async def record(self, thread: ThreadKey, author: str) -> dict[str, Any]:
        """Before its question leaves the inbox. Returns: what `end` is to be called with."""
        held = {
            "team": thread.team,
            "channel": thread.channel,
            "thread": thread.thread,
            "author": author,
        }
        try:
            await self._store.deferrals.begin(LEFT, _id(held), held)
        except StoreFailed:
            log.warning("Slack's status is ended without a record: the store fails")
        return held

    async def end_those_left(self) -> None:
        """End those that an earlier run left."""
        while True:
            try:
                left = await self._store.deferrals.unended(LEFT)
            except StoreFailed as exc:
                log.warning("Slack's statuses stay for now: %s", exc)
                await asyncio.sleep(MAX_PAUSE_S)
            else:
                break
        await asyncio.gather(*(self.end(held) for held in left.values()))

    async def end(self, held: dict[str, Any], *, after_s: float = 0) -> None:
        """End one, however often Slack must be asked; at first after so many seconds."""
        id_ = _id(held)
        if id_ in self._ending:
            return
        self._ending.add(id_)
        try:
            await asyncio.sleep(after_s)
            await self._end_patiently(held)
            await self._store.deferrals.end(LEFT, id_)
        except StoreFailed:
            self._store.late.add(lambda: self._store.deferrals.end(LEFT, id_))
        except Exception as exc:  # noqa: BLE001 - the end of a task; the next start tries again
            log.error("Slack still shows its status: %s", safe_traceback(exc))
        finally:
            self._ending.discard(id_)

    async def _end_patiently(self, held: dict[str, Any]) -> None:
        pause_s = UNREACHABLE_PAUSE_S
        while True:
            try:
                workspace = await self._workspaces.of(held["team"])
                await set_session(
                    workspace, held["channel"], held["thread"], held["author"], "active"
                )
            except (TryLater, SlackUnreachable) as exc:
                if isinstance(exc, TryLater) and not isinstance(exc, Unsure):
                    pause_s = max(pause_s, exc.after_s)
                await asyncio.sleep(min(pause_s, MAX_PAUSE_S))
                pause_s *= 2
            except (SlackRefused, NotInstalled) as exc:
                log.warning("Slack still shows its status: %s", exc)
                return
            else:
                return


def _id(held: dict[str, Any]) -> str:
    return f"{held['team']}/{held['channel']}/{held['thread']}"


def note_refusal(workspace: Workspace, message: IncomingMessage, exc: SlackRefused) -> None:
    """Slack refused a session; not to be tried again soon where it never has any."""
    log.info("no agent session here: %s", exc)
    if exc.error in UNSUPPORTED:
        workspace.has_sessions.note_refusal(message.thread.channel)
