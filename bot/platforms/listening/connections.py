"""Bounds on connections: how many there are, and how long each may do nothing.

A sender who opens connections and leaves them idle, sends headers byte by byte, or never reads
what was asked for, only takes from themselves: a newcomer closes the longest idle connection of the
sender who has the most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web

from bot.platforms.listening.senders import Senders, sender_of

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 1024
MAX_PER_SENDER: Final = 256
FIRST_REQUEST_S: Final = 20
"""From accepting a connection to the end of its first request's headers."""
IDLE_S: Final = 130
"""From a response to the end of the next request's headers; longer than proxies keep connections,
so that none is closed under a request."""
STALL_S: Final = 30
"""A reader who takes nothing for this long is gone."""
RESPONSE_S: Final = 600
"""From the end of a handler to the last byte of its response."""

FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: llava-bot\r\nRetry-After: 5\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Connections:
    """The connections of one server. Lives as long as it listens."""

    def __init__(
        self,
        senders: Senders | None = None,
        *,
        most: int | None = None,
        most_per_sender: int = MAX_PER_SENDER,
    ) -> None:
        """`senders`: who is trusted to speak for others, and so has no bound of their own.

        `most`: by default what the process may open, up to `MAX_CONNECTIONS`.
        """
        self._senders = senders or Senders()
        self._most = most_connections() if most is None else most
        self._most_per_sender = most_per_sender
        self._total = 0
        self._of_sender: dict[str, _OfSender] = {}

    def admit(self, connection: Connection) -> bool:
        """Whether there is room, if need be in the place of an idle one."""
        of_sender = self._of_sender.get(connection.sender)
        if (
            of_sender is not None
            and of_sender.count >= self._most_per_sender
            and not self._senders.is_trusted(connection.peer)
            and not of_sender.close_longest_idle()
        ):
            return False
        if self._total >= self._most and not self._close_an_idle_one():
            return False
        self._total += 1
        of_sender = self._of_sender.setdefault(connection.sender, _OfSender())
        of_sender.count += 1
        of_sender.idle[connection] = None
        return True

    def note(self, connection: Connection, *, idle: bool) -> None:
        """Whether a connection waits for a request."""
        of_sender = self._of_sender[connection.sender]
        if idle:
            of_sender.idle[connection] = None
        else:
            of_sender.idle.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """A connection that was admitted is gone."""
        of_sender = self._of_sender[connection.sender]
        of_sender.idle.pop(connection, None)
        of_sender.count -= 1
        self._total -= 1
        if not of_sender.count:
            del self._of_sender[connection.sender]

    def _close_an_idle_one(self) -> bool:
        """Of the sender who has the most."""
        waiting = [of_sender for of_sender in self._of_sender.values() if of_sender.idle]
        return bool(waiting) and max(waiting, key=lambda each: each.count).close_longest_idle()


def most_connections() -> int:
    """How many a server may have: half of the files that the process may open is for others."""
    try:
        import resource
    except ImportError:  # Windows
        return MAX_CONNECTIONS
    may_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if may_open < 0 else min(MAX_CONNECTIONS, may_open // 2)


@dataclass(slots=True, eq=False)
class _OfSender:
    count: int = 0
    idle: dict[Connection, None] = field(default_factory=dict)
    """The longest idle first."""

    def close_longest_idle(self) -> bool:
        connection = next(iter(self.idle), None)
        if connection is None:
            return False
        connection.drop()
        return True


class Connection(web.RequestHandler):
    """aiohttp's, with deadlines, and counted."""

    __slots__ = ("_connections", "_is_counted", "_stalled", "_started", "peer", "sender")

    def __init__(self, server: web.Server, connections: Connections) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # as `AppRunner` passes it on
            keepalive_timeout=IDLE_S,
            # As it was sent: a compressed body would grow beyond its limit on the way in.
            auto_decompress=False,
        )
        self._connections = connections
        self._is_counted = False
        self._started: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.peer = ""
        self.sender = ""
        """See `Senders.of`; of a proxy, the proxy."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self.sender = sender_of(self.peer)
        self._is_counted = self._connections.admit(self)
        if not self._is_counted:
            self.close()
            assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's only kind
            transport.write(FULL)
            transport.close()
            return
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._started = loop.call_later(FIRST_REQUEST_S, self.drop)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        for timer in (self._started, self._stalled):
            if timer is not None:
                timer.cancel()
        self._forget()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the reader does not keep up, or does not read."""
        super().pause_writing()
        self._stalled = asyncio.get_running_loop().call_later(STALL_S, self._abort)

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def drop(self) -> None:
        """Close it although nothing was asked."""
        self._forget()
        self.force_close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While a request is handled, the connection is not idle."""
        if self._started is not None:
            self._started.cancel()
        self._note(idle=False)
        try:
            yield
        finally:
            self._note(idle=True)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """As aiohttp's, and in time: a file is sent by the kernel, where no stall is noticed.

        No response tells the server's version, not even those that aiohttp makes by itself, before
        any middleware; a stream says so when it begins.
        """
        if not resp.prepared:
            resp.headers["Server"] = "llava-bot"
        try:
            async with asyncio.timeout(RESPONSE_S):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            self._abort()
            return resp, True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As aiohttp's, without its version; what is not HTTP is nothing to log an error for."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            response = super().handle_error(request, status, exc, message)
        else:
            log.debug("a request was not HTTP: %s", type(exc).__name__)
            response = web.Response(status=status)
            response.force_close()
        response.headers["Server"] = "llava-bot"
        return response

    def _note(self, *, idle: bool) -> None:
        if self._is_counted:
            self._connections.note(self, idle=idle)

    def _forget(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._connections.remove(self)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


@web.middleware
async def in_use(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The outermost middleware of a server whose connections are bounded."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        return await handler(request)
    with connection.in_use():
        return await handler(request)


class BoundedSite(web.BaseSite):
    """As `web.TCPSite`, for bounded connections."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, connections: Connections
    ) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self._connections = connections

    @property
    def name(self) -> str:
        """Where it listens."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises: OSError."""
        await super().start()
        server = self._runner.server
        assert server is not None  # noqa: S101 - `BaseSite` has looked
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(server, self._connections),
            self._host,
            self._port,
            backlog=self._backlog,
        )
