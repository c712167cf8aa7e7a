"""The bot's messages for a question that was deleted: removed even if the process ends first.

Once the question is erased, nothing but this record tells which messages were its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bot.store import Store, StoreFailed
from bot.values.messages import MessageKey
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

Remove = Callable[[MessageKey, str], Awaitable[bool]]
"""Deletes one of a question's messages. False: it may still be there, and is tried again later."""


class Removals:
    """Removes them. Lives as long as the adapter."""

    def __init__(self, platform: str, *, store: Store, remove: Remove) -> None:
        self._kind = f"{platform} removal"
        self._store = store
        self._remove = remove
        self._begun: set[str] = set()

    async def record(self, key: MessageKey, messages: list[str]) -> None:
        """Before the question is erased."""
        if not messages:
            return
        id_ = _id(key)
        self._begun.add(id_)
        held = {"team": key.team, "channel": key.channel, "messages": messages}
        try:
            await self._store.deferrals.begin(
                self._kind, id_, {**held, "platform": key.platform, "message": key.message}
            )
        except StoreFailed:
            log.warning("an answer is removed without a record: the store fails")

    async def run(self, key: MessageKey, messages: list[str]) -> None:
        """Remove them, after the erasure."""
        if not messages:
            return
        removed = [await self._remove(key, message) for message in messages]
        if all(removed):
            await self._end(_id(key))

    async def _end(self, id_: str) -> None:
        try:
            await self._store.deferrals.end(self._kind, id_)
        except StoreFailed:
            self._store.late.add(lambda: self._store.deferrals.end(self._kind, id_))

    async def run_those_left(self) -> None:
        """Remove what an earlier run left."""
        try:
            left = await self._store.deferrals.unended(self._kind)
            for id_, held in left.items():
                if id_ not in self._begun:
                    key = MessageKey(
                        platform=held["platform"],
                        team=held["team"],
                        channel=held["channel"],
                        message=held["message"],
                    )
                    await self.run(key, held["messages"])
        except Exception as exc:  # noqa: BLE001 - the end of a task; the next start tries again
            log.error("answers to deleted questions stay: %s", safe_traceback(exc))


def _id(key: MessageKey) -> str:
    return f"{key.team}/{key.channel}/{key.message}"
