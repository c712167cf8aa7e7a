"""Forms of those who mean harm: endless, slow, or of too many parts. Others notice nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events, running_playground

FORMS = "bot.platforms.web.gate.forms"
FILE = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
TEXT = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nWhat?\r\n'
UNKNOWN = b'--x\r\nContent-Disposition: form-data; name="else"\r\n\r\n'
MEGABYTE = bytes(1_000_000)


class Sender:
    """Sends a form by hand, chunk by chunk."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent = 0

    async def send(self, data: bytes) -> None:
        self.sent += len(data)
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def send_until_answered(self, data: bytes, *, every_s: float = 0) -> tuple[int, str]:
        """Returns: the status, and the sentence."""
        answer = asyncio.ensure_future(self._answer())
        async with asyncio.timeout(30):
            while not answer.done():
                await self.send(data)
                await asyncio.sleep(every_s)
            return await answer

    async def _answer(self) -> tuple[int, str]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        body = await self._reader.readexactly(length)
        return int(head.split()[1]), json.loads(body)["error"]


@asynccontextmanager
async def sending(
    client: Client, thread: str, *headers: str, method: str = "POST", path: str = "/messages"
) -> AsyncIterator[Sender]:
    address = client.playground.address.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*address.split(":"))
    head = [
        f"{method} /api/threads/{thread}{path} HTTP/1.1",
        f"Host: {address}",
        "Content-Type: multipart/form-data; boundary=x",
        "Transfer-Encoding: chunked",
        *headers,
    ]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    try:
        yield Sender(reader, writer)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "beginning",
    [UNKNOWN, TEXT.removesuffix(b"\r\n"), FILE, b"", b"no boundary\r\n" * 1000],
    ids=["unknown field", "text", "file", "nothing", "before the first part"],
)
async def test_whatever_has_no_end_is_cut_off(client: Client, beginning: bytes) -> None:
    async with sending(client, await client.make_thread()) as sender:
        if beginning:
            await sender.send(beginning)
        status, sentence = await sender.send_until_answered(b"\r\n".join([bytes(998)] * 50))
        assert (status, "larger than" in sentence) == (413, True), sentence
        assert sender.sent < 10 * len(MEGABYTE)  # what the buffers on the way hold
    assert not list((client.folder / "uploads").glob("*"))


async def test_a_form_that_says_it_is_too_large_is_not_read(client: Client) -> None:
    path = f"/api/threads/{await client.make_thread()}/messages"
    address = client.playground.address.removeprefix("http://")
    _, writer = reader, _ = await asyncio.open_connection(*address.split(":"))
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 600000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
    )
    async with asyncio.timeout(30):
        assert b" 413 " in await reader.readline()
    writer.transport.abort()


async def test_ten_thousand_parts_are_refused(client: Client) -> None:
    async with sending(client, await client.make_thread()) as sender:
        empty = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
        status, sentence = await sender.send_until_answered(empty * 100)
        # Whichever bound it reaches first: that of parts, or that of what is no picture.
        assert (status, sentence) in {
            (400, "The form has too many parts."),
            (413, "The request is larger than 300 KB."),
        }
        assert sender.sent < 10 * len(MEGABYTE)  # what the buffers on the way hold


async def test_parts_within_parts_are_no_form(client: Client) -> None:
    async with sending(client, await client.make_thread()) as sender:
        nested = b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n\r\n--y--\r\n"
        status, _ = await sender.send_until_answered(nested)
        assert status == 400


async def test_a_compressed_form_is_not_unpacked(client: Client) -> None:
    async with sending(client, await client.make_thread(), "Content-Encoding: gzip") as sender:
        status, _ = await sender.send_until_answered(b"\x1f\x8b\x08\x00" * 100)
        assert status in {400, 413}


async def test_a_further_part_does_not_renew_the_deadline(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FORMS}.FORM_S", 0.6)
    async with sending(client, await client.make_thread()) as sender:
        status, sentence = await sender.send_until_answered(TEXT, every_s=0.1)
        assert (status, sentence) == (408, "The request came in too slowly.")


async def test_a_file_that_comes_in_by_drops_is_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FORMS}.SLOW_AFTER_S", 0.4)
    async with sending(client, await client.make_thread()) as sender:
        await sender.send(FILE)
        status, sentence = await sender.send_until_answered(b"drop", every_s=0.05)
        assert (status, sentence) == (408, "The request came in too slowly.")
    assert not list((client.folder / "uploads").glob("*"))


async def test_a_small_body_that_does_not_come_is_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.web.bodies.BODY_S", 0.3)
    thread = await client.make_thread()
    async with sending(client, thread, method="PATCH", path="") as sender:
        status, sentence = await sender.send_until_answered(b" ", every_s=0.05)
        assert (status, sentence) == (408, "The request came in too slowly.")


async def test_a_sender_who_hangs_up_within_a_small_body_is_no_failure_of_ours(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    thread = await client.make_thread()
    async with sending(client, thread, method="PATCH", path="") as sender:
        await sender.send(b"{")
    assert (await client.get(f"/api/threads/{thread}"))[0] == 200
    await asyncio.sleep(0.1)
    assert not [it for it in caplog.records if it.name.startswith("bot")]


async def test_while_fifty_send_slowly_others_send_their_pictures_at_once(
    tmp_path: Path, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.web.gate.places.WAIT_S", 3)
    password = "some long words"

    def person(name: str) -> str:
        return aiohttp.encode_basic_auth(name, password)

    async with running_playground(tmp_path, backend, password=password) as client:
        threads = {}
        for name in ("mallory", "ann"):
            headers = {"Authorization": person(name)}
            async with client.http.post("/api/threads", headers=headers) as response:
                threads[name] = (await response.json())["thread_id"]
        slow = [
            sending(client, threads["mallory"], f"Authorization: {person('mallory')}")
            for _ in range(50)
        ]
        senders = [await each.__aenter__() for each in slow]
        for sender in senders:
            await sender.send(FILE + b"a bit")
        async with asyncio.timeout(30):
            for name, file in (("ann", True), ("mallory", False)):  # no place is needed for text
                form = aiohttp.FormData({"text": "q"}, default_to_multipart=True)
                if file:
                    form.add_field("images", RED, filename="a.png")
                async with client.http.post(
                    f"/api/threads/{threads[name]}/messages",
                    data=form,
                    headers={"Authorization": person(name)},
                ) as response:
                    assert response.status == 200, name
                    assert [name async for name, _ in events(response)][-1] == "done"
            # Who waits for a place in vain is told so.
            statuses = [status async for status in _statuses(senders)]
        assert statuses == [503] * 46
        for each in slow:
            await each.__aexit__(None, None, None)


async def _statuses(senders: list[Sender]) -> AsyncIterator[int]:
    """Of those that are answered, as they have no place."""
    for sender in senders[4:]:
        status, _ = await sender._answer()
        yield status
