"""Socket Mode where several processes run the same app.

Slack gives an app ten connections and sends each event over one of them, whichever. So every
process keeps one, and where one is killed, Slack sends what it did not acknowledge over another.
A process that cannot reach the database closes its own: it could claim no question, and others
can.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

from bot.platforms.chat.tenure import Tenure
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.slack.socket import Socket
from bot.store import Leases

log = logging.getLogger(__name__)

NUM_SLOTS = 8
"""Processes that are connected at once. Slack's bound is ten, and a socket that is replaced is
closed after its successor is open."""


def slots_of(app_token: str) -> list[list[str]]:
    """One lease per connection that an app may have; the token names the app (`xapp-1-A…-…`)."""
    found = re.match(r"xapp-\d+-(\w+)-", app_token)
    app = found[1] if found else hashlib.sha256(app_token.encode()).hexdigest()[:16]
    return [[f"slack {app} connection {number}"] for number in range(NUM_SLOTS)]


class LeasedSocket:
    """A socket that is open while this process has one of the app's connections."""

    def __init__(
        self,
        socket: Socket,
        leases: Leases,
        app_token: str,
        *,
        after_standby: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`after_standby`: fetches what was sent while nobody was connected."""
        self._socket = socket
        self._tenure = Tenure(leases, slots_of(app_token), what="Slack")
        self._after_standby = after_standby
        self._staying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, now or as soon as there is a place. Raises: PlatformUnavailable."""
        is_ours = await self._tenure.try_to_begin()
        if is_ours:
            try:
                await self._socket.open()
            except BaseException:
                await self._tenure.end()
                raise
        self._staying = asyncio.create_task(self._stay(is_open=is_ours), name="slack-lease")

    async def close(self) -> None:
        """Disconnect, and let another process connect at once."""
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.gather(self._staying, return_exceptions=True)
            self._staying = None
        await self._socket.close()
        await self._tenure.end()

    async def _stay(self, *, is_open: bool) -> None:
        while True:
            if not is_open:
                self._socket.presence.disconnected(stands_by=True)
                await self._tenure.begin()
                try:
                    await self._socket.open()
                except PlatformUnavailable as exc:
                    log.error("Slack does not run: %s", exc)
                    await self._tenure.end()
                    return
                await self._after_standby()
            await self._tenure.lost()
            await self._socket.close()
            is_open = False
