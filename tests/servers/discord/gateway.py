"""The gateway: sessions, shards, RESUME, and everything that can go wrong with them."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zstandard
from aiohttp import WSCloseCode, WSMsgType, web

from tests.servers.discord.state import BOT, Json, World
from tests.waiting import until

MESSAGE_CONTENT = 1 << 15
CLOSED_FOR_WRONG_TOKEN, CLOSED_FOR_INTENTS = 4004, 4014
NOT_TOLD_WITHOUT_INTENT = ("attachments", "embeds", "components")


@dataclass
class GatewayRules:
    """How the gateway behaves."""

    heartbeat_s: float = 41.25
    content_intent: bool = True
    """Message Content Intent is switched on."""
    resumes: bool = True
    """False: op 9 answers a RESUME, and the client must identify again."""
    replays: int = 0
    """Number of delivered events that a RESUME replays."""
    duplicates: float = 0
    """Share of events that are dispatched twice."""
    closes_identify: int = 0
    """The next IDENTIFYs are closed with this code."""
    breaks_ready: bool = False
    """READY lacks what a client needs."""
    max_concurrency: int = 16
    shards: int = 1


class Line:
    """One connection. All payloads go through one stream, in order."""

    def __init__(self, socket: web.WebSocketResponse, compress: Callable[[bytes], bytes]) -> None:
        self.socket = socket
        self.mute = False
        self.heartbeats = 0
        self._compress = compress
        self._outgoing: asyncio.Queue[Json] = asyncio.Queue()
        self._writing = asyncio.create_task(self._write())

    def send(self, payload: Json) -> None:
        if not self.mute:
            self._outgoing.put_nowait(payload)

    async def _write(self) -> None:
        while True:
            payload = await self._outgoing.get()
            await self.socket.send_bytes(self._compress(json.dumps(payload).encode()))
            self._outgoing.task_done()

    async def next_heartbeat(self) -> None:
        """Ask the client for a heartbeat and return when it has come, or cannot any more."""
        beats = self.heartbeats
        self.send({"op": 1, "d": None})
        await until(lambda: self.heartbeats > beats or self.mute or self.socket.closed)

    async def close(self, code: int) -> None:
        self.mute = True
        self._writing.cancel()
        await self.socket.close(code=code)

    def over(self) -> None:
        self._writing.cancel()


@dataclass
class Session:
    """One shard's session; it outlives its sockets."""

    id: str
    shard: int
    of: int
    intents: int
    seq: int = 0
    told: list[Json] = field(default_factory=list)
    line: Line | None = None


class Gateway:
    """All sessions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rules = GatewayRules()
        self.sessions: dict[str, Session] = {}
        self.identified = 0
        self.resumed = 0
        self.compressions: list[str] = []
        self._lines: set[Line] = set()
        self._random = random.Random(0)  # noqa: S311 - faults, the same in every run

    @property
    def connected(self) -> list[Session]:
        return [it for it in self.sessions.values() if it.line is not None]

    # -- dispatching --------------------------------------------------------------------------

    def tell(self, event: str, data: Json, *, guild: str | None = None) -> None:
        """Dispatch an event to the sessions that it belongs to."""
        for session in self.sessions.values():
            shard = 0 if guild is None else (int(guild) >> 22) % session.of
            if shard != session.shard:
                continue
            told = self._as_told(session, event, data, guild)
            times = 2 if self._random.random() < self.rules.duplicates else 1
            for _ in range(times):
                self._dispatch(session, event, told)

    def _as_told(self, session: Session, event: str, data: Json, guild: str | None) -> Json:
        if not event.startswith("MESSAGE_") or "author" not in data or guild is None:
            return data
        return data if session.intents & MESSAGE_CONTENT else without_content(data)

    def _dispatch(self, session: Session, event: str, data: Json) -> None:
        session.seq += 1
        payload = {"op": 0, "t": event, "s": session.seq, "d": json.loads(json.dumps(data))}
        session.told.append(payload)
        self._send(session, payload)

    def _send(self, session: Session, payload: Json) -> None:
        if session.line is not None:
            session.line.send(payload)

    async def delivered(self) -> None:
        """Return when the clients have received every event so far.

        Asked for a heartbeat, a client sends one at once, behind the events before it.
        """
        for session in self.connected:
            line = session.line
            if line is not None and not line.mute:
                await line.next_heartbeat()

    # -- faults -------------------------------------------------------------------------------

    def reconnect(self) -> None:
        """Op 7: please resume elsewhere."""
        for session in self.connected:
            self._send(session, {"op": 7, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Op 9: the session is no longer valid."""
        for session in self.connected:
            self._send(session, {"op": 9, "d": resumable})
            if not resumable:
                session.line = None
                self.sessions.pop(session.id)

    async def close_lines(self, code: int = 4000) -> None:
        """Close every connection with a code."""
        for session in self.connected:
            line, session.line = session.line, None
            if line is not None:
                await line.close(code)

    def deafen(self) -> None:
        """Connections stay open but fall silent."""
        for line in self._lines:
            line.mute = True

    async def close(self) -> None:
        for line in list(self._lines):
            await line.close(WSCloseCode.GOING_AWAY)

    # -- a connection -------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        kind = request.query.get("compress", "")
        self.compressions.append(kind)
        line = Line(socket, compressor(kind))
        self._lines.add(line)
        session: Session | None = None
        try:
            interval = int(self.rules.heartbeat_s * 1000)
            line.send({"op": 10, "d": {"heartbeat_interval": interval}})
            async for received in socket:
                if received.type is not WSMsgType.TEXT:
                    continue
                asked = json.loads(received.data)
                if asked["op"] == 1:
                    line.heartbeats += 1
                    line.send({"op": 11})
                elif asked["op"] == 2:
                    session = await self._identify(line, asked["d"])
                    if session is not None:
                        self._welcome(session)
                elif asked["op"] == 6:
                    session = self._resume(line, asked["d"])
                    if session is None:
                        line.send({"op": 9, "d": False})
                    else:
                        self._replay(session, asked["d"]["seq"])
        finally:
            line.over()
            self._lines.discard(line)
            if session is not None and session.line is line:
                session.line = None
        return socket

    async def _identify(self, line: Line, asked: Json) -> Session | None:
        shard, of = asked.get("shard", [0, 1])
        if asked["token"] != self._world.token:
            await line.close(CLOSED_FOR_WRONG_TOKEN)
            return None
        if asked["intents"] & MESSAGE_CONTENT and not self.rules.content_intent:
            await line.close(CLOSED_FOR_INTENTS)
            return None
        if self.rules.closes_identify:
            await line.close(self.rules.closes_identify)
            return None
        session = Session(f"session-{self.identified}-{shard}", shard, of, asked["intents"])
        session.line = line
        self.sessions[session.id] = session
        self.identified += 1
        return session

    def _welcome(self, session: Session) -> None:
        mine = [it for it in self._world.guilds if (int(it) >> 22) % session.of == session.shard]
        self._dispatch(
            session,
            "READY",
            {
                "v": 10,
                "user": {} if self.rules.breaks_ready else self._world.users[BOT],
                "guilds": [{"id": guild, "unavailable": True} for guild in mine],
                "session_id": session.id,
                "resume_gateway_url": "wss://gateway-local-1.discord.gg",
                "shard": [session.shard, session.of],
                "application": {"id": BOT, "flags": 0},
            },
        )
        for guild in mine:
            self._dispatch(session, "GUILD_CREATE", self._world.guild_create(guild))

    def _resume(self, line: Line, asked: Json) -> Session | None:
        session = self.sessions.get(asked["session_id"])
        if session is None or not self.rules.resumes:
            self.sessions.pop(asked["session_id"], None)
            return None
        session.line = line
        self.resumed += 1
        return session

    def _replay(self, session: Session, seq: int) -> None:
        again = [it for it in session.told if it["s"] <= seq and it["t"].startswith("MESSAGE_")]
        for payload in again[len(again) - min(self.rules.replays, len(again)) :]:
            self._send(session, payload)
        for payload in [it for it in session.told if it["s"] > seq]:
            self._send(session, payload)
        self._dispatch(session, "RESUMED", {})


def without_content(message: Json) -> Json:
    """A message as a bot without the intent gets it: with content only if it is mentioned."""
    if message.get("referenced_message"):
        referenced = without_content(message["referenced_message"])
        message = message | {"referenced_message": referenced}
    mentioned = any(user["id"] == BOT for user in message["mentions"])
    if mentioned or message["author"]["id"] == BOT:
        return message
    return message | {"content": ""} | {name: [] for name in NOT_TOLD_WITHOUT_INTENT}


def compressor(kind: str) -> Callable[[bytes], bytes]:
    """One stream for a whole connection; each message can be decompressed as it arrives."""
    if kind == "zlib-stream":
        zlib_stream = zlib.compressobj()
        return lambda data: zlib_stream.compress(data) + zlib_stream.flush(zlib.Z_SYNC_FLUSH)
    if kind == "zstd-stream":
        zstd_stream: Any = zstandard.ZstdCompressor().compressobj()
        block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return lambda data: bytes(zstd_stream.compress(data) + zstd_stream.flush(block))
    return lambda data: data
