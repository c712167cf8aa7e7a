"""The bot's messages for a question that was deleted: removed even if the process ends first.

Once the question is erased, nothing but this record tells which messages were its answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.store import Store, StoreFailed
from bot.values.messages import MessageKey
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

AGAIN_S = 3600.0
"""From one try to the next for those that could not be removed."""

Remove = Callable[[MessageKey, str], Awaitable[bool]]
"""Deletes one of a question's messages. False: it may still be there, and is tried again."""


class Removals:
    """Removes them. Lives as long as the adapter."""

    def __init__(self, platform: str, *, store: Store, remove: Remove) -> None:
        self._kind = f"{platform} removal"
        self._store = store
        self._remove = remove
        self._begun: set[str] = set()
        """Recorded, and not yet tried: theirs is `run`."""

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
        try:
            removed = [await self._remove(key, message) for message in messages]
        finally:
            self._begun.discard(_id(key))
        if all(removed):
            await self._end(_id(key))

    async def _end(self, id_: str) -> None:
        try:
            await self._store.deferrals.end(self._kind, id_)
        except StoreFailed:
            self._store.late.add(lambda: self._store.deferrals.end(self._kind, id_))

    async def keep_removing(self) -> None:
        """Remove, now and every hour, what an earlier run left, or what could not be removed."""
        while True:
            await self.run_those_left()
            await asyncio.sleep(AGAIN_S)

    async def run_those_left(self) -> None:
        """Try once more what is recorded and was not removed."""
        try:
            left = await self._store.deferrals.unended(self._kind)
        except StoreFailed as exc:
            log.warning("answers to deleted questions stay for now: %s", exc)
            return
        for id_, held in left.items():
            if id_ not in self._begun:
                await self._try(held)

    async def _try(self, held: dict[str, Any]) -> None:
        try:
            key = MessageKey(
                platform=held["platform"],
                team=held["team"],
                channel=held["channel"],
                message=held["message"],
            )
            await self.run(key, held["messages"])
        except Exception as exc:  # noqa: BLE001 - one that fails keeps no other; it is tried again
            log.error("an answer to a deleted question stays: %s", safe_traceback(exc))


def _id(key: MessageKey) -> str:
    return f"{key.team}/{key.channel}/{key.message}"
