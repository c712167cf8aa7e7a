"""What attackers gain, and what others notice: `python -m tests.benchmarks.hostile_http [--json]`.

A playground with a password is attacked from one address, by raw sockets: wrong passwords, a field
of 600 MB, 10,000 parts, and then 50 forms that come by drops, 200 connections whose headers never
end and 20 readers who never read, all at once. Meanwhile somebody at another address asks about a
picture, again and again. Attackers, the other person and the bot share one process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import resource
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events, running_playground

PASSWORD = "some long words"
ATTACKER, OTHER = "127.0.0.2", "127.0.0.1"
GUESSES = 3000
FIELD_BYTES = 600_000_000
PARTS = 10_000
FORMS, HEADERS, READERS = 50, 200, 20
QUESTIONS = 20
BEGINNING = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.png"\r\n\r\n'
PIECE = bytes(100_000)


def auth(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


@contextlib.asynccontextmanager
async def visitor(client: Client, name: str, host: str) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(local_addr=(host, 0), limit=0)
    async with aiohttp.ClientSession(
        client.playground.address, connector=connector, headers=auth(name)
    ) as http:
        yield http


async def make_thread(http: aiohttp.ClientSession) -> str:
    async with http.post("/api/threads") as response:
        thread: str = (await response.json())["thread_id"]
        return thread


async def guessing(client: Client) -> dict[str, Any]:
    """Wrong passwords, 20 at a time."""
    statuses: Counter[int] = Counter()
    async with visitor(client, "x", ATTACKER) as http:
        numbers = iter(range(GUESSES))

        async def guess() -> None:
            for number in numbers:
                async with http.get("/", headers=auth("x", f"guess {number}")) as response:
                    statuses[response.status] += 1

        began = time.monotonic()
        await asyncio.gather(*(guess() for _ in range(20)))
    return {
        "sent": statuses.total(),
        "compared": statuses[401],
        "seconds": round(time.monotonic() - began, 1),
    }


async def endless(client: Client, beginning: bytes, piece: bytes, limit: int) -> dict[str, Any]:
    """A form without end. Returns: its status, how many bytes were taken, and the memory."""
    async with visitor(client, "mallory", ATTACKER) as http:
        path = f"/api/threads/{await make_thread(http)}/messages"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader, writer = await connected(client)
    await begin_form(writer, path)
    sent, status = 0, asyncio.ensure_future(reader.readline())
    with contextlib.suppress(ConnectionError):
        for data in itertools.chain([beginning], itertools.repeat(piece)):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
            sent += len(data)
            if status.done() or sent > limit:
                break
            await asyncio.sleep(0)
    answered = int((await status).split()[1])
    writer.transport.abort()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"status": answered, "sent_mb": sent / 1e6, "peak_more_mb": (after - before) / 1e3}


async def connected(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = client.playground.address.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port), local_addr=(ATTACKER, 0))


async def begin_form(writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth('mallory')['Authorization']}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    await writer.drain()


@contextlib.asynccontextmanager
async def besieged(client: Client) -> AsyncIterator[None]:
    """Slow forms, endless headers, and readers who never read."""
    async with visitor(client, "mallory", ATTACKER) as http:
        thread = await make_thread(http)
    writers = []
    for number in range(FORMS + HEADERS + READERS):
        _, writer = await connected(client)
        writers.append(writer)
        if number < FORMS:
            await begin_form(writer, f"/api/threads/{thread}/messages")
            part = BEGINNING % b"images"
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        elif number < FORMS + HEADERS:
            writer.write(b"GET / HTTP/1.1\r\nX-a: ")
        else:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            sent = f"Host: x\r\nAuthorization: {auth('mallory')['Authorization']}\r\n\r\n"
            writer.write(b"GET /static/app.js HTTP/1.1\r\n" + sent.encode())

    async def drip() -> None:
        while True:
            for number, writer in enumerate(writers[: FORMS + HEADERS]):
                if not writer.transport.is_closing():
                    writer.write(b"1\r\nx\r\n" if number < FORMS else b"x")
            await asyncio.sleep(0.2)

    dripping = asyncio.create_task(drip())
    try:
        yield
    finally:
        dripping.cancel()
        for writer in writers:
            writer.transport.abort()


async def waits_s(client: Client) -> list[float]:
    """From sending a question with a picture, on a connection of its own, to its answer."""
    waits = []
    for _ in range(QUESTIONS):
        async with visitor(client, "ann", OTHER) as http:
            thread = await make_thread(http)
            form = aiohttp.FormData({"text": "q"}, default_to_multipart=True)
            form.add_field("images", RED, filename="a.png")
            began = time.monotonic()
            async with http.post(f"/api/threads/{thread}/messages", data=form) as response:
                assert [name async for name, _ in events(response)][-1] == "done"
            waits.append(time.monotonic() - began)
    return waits


async def measure(folder: Path) -> dict[str, Any]:
    async with running_playground(folder, ScriptedModel(), password=PASSWORD) as client:
        calm = await waits_s(client)
        async with besieged(client):
            attacked = await waits_s(client)
        return {
            "wait_s": {
                name: {"median": round(median(waits), 3), "longest": round(max(waits), 3)}
                for name, waits in (("calm", calm), ("attacked", attacked))
            },
            "unknown_field": await endless(client, BEGINNING % b"else", PIECE, FIELD_BYTES),
            "file": await endless(client, BEGINNING % b"images", PIECE, FIELD_BYTES),
            "parts": await endless(client, b"\r\n", BEGINNING % b"a" + b"\r\n", PARTS * 100),
            "guessing": await guessing(client),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="for machines")
    as_json = parser.parse_args().json
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder)))
    print(json.dumps(found) if as_json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
