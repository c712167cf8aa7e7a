"""Socket Mode: single-use tickets, hello, envelopes until acknowledged, disconnects."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

MAX_RETRIES = 3


@dataclass
class SocketRules:
    """How the sockets behave; every fault is off by default."""

    ack_within_s: float = 3.0
    duplicates: float = 0.0
    """Share of envelopes that are delivered once more."""
    reorder: bool = False
    """Each envelope is delivered after the next one."""
    deaf: bool = False
    """Sockets stay connected and get nothing."""
    refuse: bool = False
    """Tickets are refused."""
    refuse_tickets: set[str] = field(default_factory=set)


class Sockets:
    """All connections of the one app."""

    def __init__(self, rules: SocketRules) -> None:
        self.rules = rules
        self.base = ""
        self.open: list[web.WebSocketResponse] = []
        self.was_connected = asyncio.Event()
        self.connected = 0
        """Number of connections so far."""
        self.acked: dict[str, float] = {}
        self.refused_tickets = 0
        self._tickets: set[str] = set()
        self._waiting: deque[dict[str, Any]] = deque()
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._turn = itertools.count()
        self._held: dict[str, Any] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(0)  # noqa: S311 - the same faults in every run

    def ticket(self) -> str:
        """An address that can be used once."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return f"{self.base}/link/?ticket={ticket}&app_id=A1"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection."""
        ticket = request.query.get("ticket", "")
        if self.rules.refuse or ticket not in self._tickets or ticket in self.rules.refuse_tickets:
            self.refused_tickets += 1
            return web.Response(status=404, text="Failed to find the ticket")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.open.append(socket)
        self.connected += 1
        self.was_connected.set()
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self.open),
                "debug_info": {"host": "local", "approximate_connection_time": 18060},
                "connection_info": {"app_id": "A1"},
            }
        )
        while self._waiting and not self.rules.deaf:
            self._start(self._waiting.popleft())
        try:
            async for message in socket:
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    self._acknowledge(message.json())
        finally:
            self.open.remove(socket)
        return socket

    def _acknowledge(self, ack: dict[str, Any]) -> None:
        envelope_id = ack["envelope_id"]
        self.acked[envelope_id] = asyncio.get_running_loop().time()
        future = self._acks.pop(envelope_id, None)
        if future is not None and not future.done():
            future.set_result(ack)

    # -- delivery -----------------------------------------------------------------------------

    def tell(self, kind: str, payload: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
        """Deliver an envelope until it is acknowledged. Returns: the acknowledgement to come."""
        envelope_id = str(uuid.uuid4())
        envelope: dict[str, Any] = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._acks[envelope_id] = future
        if self.rules.reorder and self._held is None:
            self._held = envelope
            asyncio.get_running_loop().call_later(0.05, self._let_go)
            return future
        self._start(envelope)
        self._let_go()
        return future

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._start(held)

    def _start(self, envelope: dict[str, Any]) -> None:
        task = asyncio.create_task(self._deliver(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, envelope: dict[str, Any]) -> None:
        future = self._acks.get(envelope["envelope_id"])
        attempt = envelope.pop("_attempt", 0)
        while attempt <= MAX_RETRIES:
            if not self.open or self.rules.deaf:
                # Slack keeps it for the next connection.
                self._waiting.append(envelope | {"_attempt": attempt})
                return
            retry = {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
            await self._send(envelope | retry)
            if self._random.random() < self.rules.duplicates:
                await self._send(envelope | {"retry_attempt": 1, "retry_reason": "duplicate"})
            if future is None:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(future), self.rules.ack_within_s)
                return
            attempt += 1

    async def _send(self, envelope: dict[str, Any]) -> None:
        socket = self.open[next(self._turn) % len(self.open)]
        with contextlib.suppress(ConnectionError, RuntimeError):
            await socket.send_json(envelope)

    async def disconnect(self, reason: str) -> None:
        """Announce that the connection ends, and end it as Slack does."""
        for socket in list(self.open):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.send_json(
                    {"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}}
                )

    async def cut(self) -> None:
        """Break every connection without notice."""
        for socket in list(self.open):
            with contextlib.suppress(ConnectionError, RuntimeError):
                transport = socket._req.transport if socket._req is not None else None
                if transport is not None:
                    transport.abort()

    async def close(self) -> None:
        """Close everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.open):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.close()
