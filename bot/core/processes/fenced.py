"""A reply that only the question's owner writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.store import Lease
from bot.values.messages import (
    Attachment,
    Ending,
    Exchange,
    IncomingMessage,
    ReplyLimits,
    Status,
    TextFile,
)


class NoLongerOurs(Exception):
    """Another process may have taken the question: this one must not write its reply."""


class FencedExchange:
    """An exchange that writes nothing once the process has lost its lease.

    The lease is looked at right before each call, by the clock: a process that was paused wakes
    up in the middle of its work, long before anything tells it that it was.
    """

    def __init__(self, exchange: Exchange, lease: Lease) -> None:
        self._exchange = exchange
        self._lease = lease
        self._owner = lease.id

    @property
    def limits(self) -> ReplyLimits:
        """Of one message of the reply."""
        return self._exchange.limits

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """The message with what the platform had to be asked for."""
        return await self._exchange.complete(message)

    def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The attachment's bytes, in pieces."""
        return self._exchange.open(attachment)

    async def status(self, status: Status) -> None:
        """Show what the user waits for. Raises: NoLongerOurs."""
        self._check()
        await self._exchange.status(status)

    async def show(self, part: int, text: str) -> None:
        """Make or edit a message of the reply. Raises: NoLongerOurs, TryLater."""
        self._check()
        await self._exchange.show(part, text)

    async def attach(self, file: TextFile) -> bool:
        """Post a file beside the reply. Raises: NoLongerOurs, TryLater."""
        self._check()
        return await self._exchange.attach(file)

    async def end(self, ending: Ending) -> None:
        """The last call. Raises: NoLongerOurs."""
        self._check()
        await self._exchange.end(ending)

    def _check(self) -> None:
        if not self._lease.is_held or self._lease.id != self._owner:
            raise NoLongerOurs


def fenced(exchange: Exchange, lease: Lease) -> Exchange:
    """The exchange, fenced where there may be other processes."""
    return FencedExchange(exchange, lease) if lease.is_shared else exchange
