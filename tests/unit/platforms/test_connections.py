"""Slow, silent and greedy connections take from their own sender alone."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from bot.platforms.listening import connections as module
from bot.platforms.listening.connections import BoundedSite, Connections, in_use
from bot.platforms.listening.senders import Senders
from tests.waiting import until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
BEGUN = b"GET / HTTP/1.1\r\nHo"
BIG = 30_000_000
"""More than the buffers of two sockets."""


@dataclass
class Server:
    """A server with one bounded site."""

    port: int
    connections: Connections
    release: asyncio.Event = field(default_factory=asyncio.Event)
    held: int = 0
    ended: list[str] = field(default_factory=list)
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(
        self, sent: bytes, *, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0))
        self.opened.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader, writer

    async def status(self, *, host: str = "127.0.0.1", sent: bytes = GET) -> int:
        """What a newcomer is answered."""
        reader, _ = await self.open(sent, host=host)
        async with asyncio.timeout(30):
            return int((await reader.readline()).split()[1])

    async def holds(self, number: int) -> None:
        await until(lambda: self.held == number)

    async def close_clients(self) -> None:
        for writer in self.opened:
            writer.transport.abort()
        for writer in self.opened:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def listening(tmp_path: Path, connections: Connections) -> AsyncIterator[Server]:
    server = Server(0, connections)
    big = tmp_path / "big"
    await asyncio.to_thread(big.write_bytes, bytes(BIG))

    async def index(_: web.Request) -> web.Response:
        return web.Response(text="here")

    async def hold(_: web.Request) -> web.Response:
        server.held += 1
        await server.release.wait()
        return web.Response(text="at last")

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(100_000))
        finally:
            server.ended.append("stream")

    async def file(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(big)

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application(middlewares=[in_use], client_max_size=1_000_000)
    app.add_routes(
        [
            web.get("/", index),
            web.get("/hold", hold),
            web.get("/stream", stream),
            web.get("/file", file),
            web.post("/echo", echo),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await BoundedSite(runner, "127.0.0.1", 0, connections).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        server.release.set()
        await server.close_clients()
        await runner.cleanup()
    assert (connections._total, connections._of_sender) == (0, {})


def asking_for(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(30):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def test_headers_that_come_byte_by_byte_have_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_REQUEST_S", 0.5)
    async with listening(tmp_path, Connections()) as server:
        reader, writer = await server.open(BEGUN)

        async def go_on() -> None:
            while True:
                writer.write(b"o")
                await asyncio.sleep(0.05)

        drip = asyncio.create_task(go_on())
        quiet, _ = await server.open(b"")
        assert await is_closed(reader)
        assert await is_closed(quiet)
        drip.cancel()


async def test_a_connection_that_waits_too_long_for_its_next_request_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.5)
    async with listening(tmp_path, Connections()) as server:
        reader, writer = await server.open(GET)
        assert await reader.readuntil(b"here")
        writer.write(BEGUN)  # which is not a request yet
        assert await is_closed(reader)


async def test_a_newcomer_closes_the_longest_idle_connection_of_their_address(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path, Connections(most_per_sender=3)) as server:
        busy, _ = await server.open(asking_for("/hold"))
        await until(lambda: server.held == 1)
        oldest, _ = await server.open(BEGUN)
        newer, newer_writer = await server.open(BEGUN)
        assert await server.status() == 200
        assert await is_closed(oldest)
        newer_writer.write(b"st: x\r\n\r\n")
        assert await newer.readuntil(b"here")
        server.release.set()
        assert await busy.readuntil(b"at last")


async def test_fifty_slow_senders_keep_nobody_from_asking(tmp_path: Path) -> None:
    async with listening(tmp_path, Connections(most=20, most_per_sender=10)) as server:
        for _ in range(50):
            await server.open(BEGUN, host="127.0.0.2")
        assert await server.status(host="127.0.0.2") == 200
        assert await server.status() == 200


async def test_who_uses_all_of_their_connections_is_told_so_and_others_are_served(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path, Connections(most_per_sender=2)) as server:
        for number in (1, 2):
            await server.open(asking_for("/hold"), host="127.0.0.2")
            await server.holds(number)
        assert await server.status(host="127.0.0.2") == 503
        assert await server.status() == 200


async def test_when_all_are_taken_the_sender_with_the_most_gives_one_up(tmp_path: Path) -> None:
    async with listening(tmp_path, Connections(most=4, most_per_sender=4)) as server:
        modest, modest_writer = await server.open(BEGUN, host="127.0.0.3")
        greedy = [await server.open(BEGUN, host="127.0.0.2") for _ in range(3)]
        assert await server.status() == 200
        assert await is_closed(greedy[0][0])
        modest_writer.write(b"st: x\r\n\r\n")
        assert await modest.readuntil(b"here")


async def test_a_trusted_proxy_may_hold_more_than_a_visitor(tmp_path: Path) -> None:
    connections = Connections(Senders(["127.0.0.2"]), most_per_sender=1)
    async with listening(tmp_path, connections) as server:
        for number in (1, 2, 3):
            await server.open(asking_for("/hold"), host="127.0.0.2")
            await server.holds(number)
        assert await server.status(host="127.0.0.2") == 200


async def test_a_reader_who_never_reads_ends_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_S", 0.3)
    async with listening(tmp_path, Connections()) as server:
        _reader, writer = await server.open(asking_for("/stream"))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.ended == ["stream"])


async def test_a_file_that_is_never_read_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESPONSE_S", 0.3)
    async with listening(tmp_path, Connections()) as server:
        _reader, writer = await server.open(asking_for("/file"))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.connections._total == 1)
        await until(lambda: server.connections._total == 0)


async def test_a_compressed_body_does_not_grow_on_its_way_in(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    head = (
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(bomb)}\r\n\r\n"
    )
    async with listening(tmp_path, Connections()) as server:
        assert await server.status(sent=head.encode() + bomb) == 200


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01hello", b"GET / HTTP/9.9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n"],
)
async def test_what_is_not_http_is_refused_without_a_version_and_without_noise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    async with listening(tmp_path, Connections()) as server:
        reader, _ = await server.open(sent + b"\r\n\r\n")
        async with asyncio.timeout(30):
            answer = (await reader.read()).decode()
    assert answer.startswith(("HTTP/1.1 400", "HTTP/1.0 400"))
    assert "Server: llava-bot\r\n" in answer
    assert "aiohttp" not in answer
    assert [it for it in caplog.records if it.levelno > logging.DEBUG] == []
