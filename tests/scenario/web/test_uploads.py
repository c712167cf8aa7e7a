"""Forms and uploads: what a question brings along, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events
from tests.waiting import until

NO_FORMAT = bytes(range(256)) * 8


async def test_a_picture_that_cannot_be_used_is_an_error_event_with_a_sentence(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    stream = await client.answer(thread, "What?", ("notes.bin", NO_FORMAT))
    assert stream[-1][0] == "error"
    assert "“notes.bin” was left out" in stream[-1][1]["message"]
    assert not any(name == "delta" for name, _ in stream)
    _, shown = await client.get(f"/api/threads/{thread}")
    assert shown["turns"][0]["state"] == "refused"
    assert "notes.bin" in shown["turns"][0]["answer"]
    assert backend.requests == []


async def test_a_file_beyond_the_byte_limit_is_named_and_the_rest_is_used(
    client: Client,
) -> None:
    thread = await client.make_thread()
    stream = await client.answer(thread, "q", ("huge.png", bytes(150_000)), ("a.png", RED))
    receipt = stream[-1][1]["receipt"]
    assert [p["name"] for p in receipt["pictures"]] == ["a.png"]
    assert "“huge.png” was left out: it is 150 KB; the limit is 100 KB." in receipt["skipped"][0]


async def post_form(
    client: Client, *parts: tuple[str, bytes]
) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
    """Post a form as a browser writes it: (parameters of the disposition, content) of each part.

    Returns: the status, and the events.
    """
    body = b"".join(
        f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode() + content + b"\r\n"
        for name, content in parts
    )
    path = f"/api/threads/{await client.make_thread()}/messages"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with client.http.post(path, data=body + b"--x--\r\n", headers=headers) as response:
        return response.status, [event async for event in events(response)]


NO_FILE = ('name="images"; filename=""', b"")


A_FILE = ('name="images"; filename="a.png"', RED)


@pytest.mark.parametrize("no_file", [NO_FILE, ('name="images"', b"")])
async def test_a_form_without_a_chosen_file_is_a_question_without_a_picture(
    client: Client, no_file: tuple[str, bytes]
) -> None:
    _, stream = await post_form(client, ('name="text"', b"What is it?"), no_file)
    assert stream[-1][0] == "done"
    assert stream[-1][1]["text"] == "answer to What is it?"
    assert stream[-1][1]["receipt"]["skipped"] == []


@pytest.mark.parametrize(
    "parts", [(NO_FILE, A_FILE), (A_FILE, NO_FILE), (NO_FILE, A_FILE, NO_FILE)]
)
async def test_a_part_without_a_file_does_not_count_beside_a_picture(
    client: Client, parts: tuple[tuple[str, bytes], ...]
) -> None:
    _, stream = await post_form(client, ('name="text"', b"q"), *parts)
    receipt = stream[-1][1]["receipt"]
    assert [it["name"] for it in receipt["pictures"]] == ["a.png"]
    assert receipt["skipped"] == []


async def test_a_form_with_nothing_in_it_is_asked_for_a_question(client: Client) -> None:
    _, stream = await post_form(client, ('name="text"', b""), NO_FILE)
    assert stream[-1][0] == "error"
    assert stream[-1][1]["message"] == "Please write a question or send a picture."


async def test_an_empty_file_that_has_a_name_is_named(client: Client) -> None:
    empty = ('name="images"; filename="a.png"', b"")
    _, stream = await post_form(client, ('name="text"', b"q"), empty)
    assert "“a.png” was left out: the file is empty." in stream[-1][1]["message"]


async def test_parts_without_a_file_count_towards_the_limit(client: Client) -> None:
    status, _ = await post_form(client, *[NO_FILE] * 20)
    assert status == 400


async def test_uploads_are_removed_once_the_question_is_written_down(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q", ("a.png", RED))
    uploads = client.folder / "uploads"
    await until(lambda: not uploads.exists() or not list(uploads.iterdir()))


async def test_a_thread_deleted_while_an_upload_comes_in_does_not_come_back(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nWhat '
        begun.set()
        await go_on.wait()
        yield b"is it?\r\n--x--\r\n"

    async def post() -> int:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        path = f"/api/threads/{thread}/messages"
        async with client.http.post(path, data=slowly(), headers=headers) as response:
            return response.status

    posting = asyncio.create_task(post())
    await begun.wait()
    await client.http.delete(f"/api/threads/{thread}")
    go_on.set()
    assert await posting == 404
    assert (await client.get(f"/api/threads/{thread}"))[0] == 404
    assert backend.requests == []


async def test_a_sender_who_hangs_up_leaves_no_file_and_no_noise(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    thread = await client.make_thread()
    address = client.playground.address.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(
        f"POST /api/threads/{thread}/messages HTTP/1.1\r\nHost: {address}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 90000\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'.encode()
        + bytes(40_000)
    )
    await writer.drain()
    uploads = client.folder / "uploads"
    await until(lambda: uploads.is_dir() and bool(list(uploads.iterdir())))
    writer.close()
    await until(lambda: not list(uploads.iterdir()))
    assert not [record for record in caplog.records if record.name.startswith("bot")]
    assert reader is not None


async def test_silent_senders_do_not_block_others(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.web.gate.forms.IDLE_S", 0.3)
    thread = await client.make_thread()
    address = client.playground.address.removeprefix("http://")
    quiet = []
    for _ in range(6):
        _reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(
            f"POST /api/threads/{thread}/messages HTTP/1.1\r\nHost: {address}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900\r\n\r\n"
            "--x\r\n".encode()
        )
        await writer.drain()
        quiet.append(writer)
    async with asyncio.timeout(30):
        stream = await client.answer(await client.make_thread(), "q")
    assert stream[-1][1]["text"] == "answer to q"
    for writer in quiet:
        writer.close()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 400),
        (b"no boundary", "multipart/form-data", 400),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400),
    ],
)
async def test_a_malformed_form_is_refused_with_a_sentence(
    client: Client, body: bytes, content_type: str, status: int
) -> None:
    thread = await client.make_thread()
    async with client.http.post(
        f"/api/threads/{thread}/messages", data=body, headers={"Content-Type": content_type}
    ) as response:
        assert response.status == status
        assert "form" in (await response.json())["error"]


async def test_an_upload_without_end_is_cut_off(client: Client) -> None:
    thread = await client.make_thread()
    async with await client.ask(thread, "q", ("a.png", bytes(400_000))) as response:
        assert response.status == 413
        assert "larger than 300 KB" in (await response.json())["error"]
    assert not list((client.folder / "uploads").glob("*"))


def form_of(text: bytes, *, name: bytes = b"a.png", data: bytes = RED) -> bytes:
    return (
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n%s\r\n'
        b'--x\r\nContent-Disposition: form-data; name="images"; filename="%s"\r\n\r\n%s'
        b"\r\n--x--\r\n" % (text, name, data)
    )


@pytest.mark.parametrize(
    ("sent", "question"),
    [
        (b"what is it \xed\xa0\xbd", "what is it \ufffd\ufffd\ufffd"),
        (b"Was f\xfcr eins?", "Was f\ufffdr eins?"),
        (b"what\x00 is\x1b it\r\n?", "what is it\n?"),
        ("\u200b\ufe0f".encode(), "What is in this picture?"),
    ],
)
async def test_the_text_of_a_form_is_cleaned(sent: bytes, question: str, client: Client) -> None:
    thread = await client.make_thread()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    body = form_of(sent, name=b"a\xffb.png")
    async with client.http.post(
        f"/api/threads/{thread}/messages", data=body, headers=headers
    ) as response:
        assert response.status == 200
        done = [data async for _, data in events(response)][-1]
    assert done["text"] == f"answer to {question}"
    _, shown = await client.get(f"/api/threads/{thread}")
    assert shown["turns"][0]["question"] == question
    assert shown["title"].endswith(" ".join(question.split()))
    assert shown["turns"][0]["pictures"][0]["name"] == "a\ufffdb.png"


@pytest.mark.parametrize("thread", ["%ED%A0%BD", "%00", "%FF", "a%0Ab", "%25", "."])
async def test_an_odd_address_is_a_thread_that_is_not_there(thread: str, client: Client) -> None:
    url = URL(f"{client.playground.address}/api/threads/{thread}/messages", encoded=True)
    async with client.http.post(url, data=form_of(b"q"), headers={}) as response:
        assert response.status == 404
