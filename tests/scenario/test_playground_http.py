"""The playground's HTTP interface, as docs/playground.md promises it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from bot.platforms.web import server
from inference.types import FinishReason, Limitation
from tests.engines import ScriptedModel
from tests.scenario.core import BLUE, RED
from tests.scenario.playground import Client, events, running_playground
from tests.store_faults import FAULTS, LONG, STEPS, fails_at, locked
from tests.waiting import until


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def client(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend) as client:
        yield client


async def test_a_question_streams_status_deltas_and_done_with_text_and_receipt(
    client: Client,
) -> None:
    thread = await client.make_thread()
    stream = await client.answer(thread, "What is it?", ("a.png", RED))
    names = [name for name, _ in stream]
    assert names[0] == "status"
    assert names[-1] == "done"
    assert "".join(data["text"] for name, data in stream if name == "delta") == (
        "answer to What is it?"
    )
    done = stream[-1][1]
    assert (done["outcome"], done["text"]) == ("answered", "answer to What is it?")
    assert done["receipt"] == {
        "pictures": [{"number": 1, "name": "a.png", "notes": []}],
        "skipped": [],
        "dropped": [],
        "notes": [],
    }


async def test_a_follow_up_needs_no_new_upload(client: Client, backend: ScriptedModel) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "What is it?", ("a.png", RED))
    stream = await client.answer(thread, "What colour?")
    assert stream[-1][1]["receipt"]["pictures"][0]["number"] == 1
    assert [len(m.pictures) for m in backend.requests[-1].messages] == [1, 0, 0]


async def test_the_thread_is_shown_with_its_turns_and_pictures(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "What is it?", ("a.png", RED), ("b.png", BLUE))
    status, shown = await client.get(f"/api/threads/{thread}")
    assert status == 200
    (turn,) = shown["turns"]
    assert (turn["question"], turn["state"], turn["answer"]) == (
        "What is it?",
        "answered",
        "answer to What is it?",
    )
    assert [(p["number"], p["name"], p["width"]) for p in turn["pictures"]] == [
        (1, "a.png", 60),
        (2, "b.png", 60),
    ]
    async with client.http.get(turn["pictures"][0]["url"]) as response:
        assert response.content_type == "image/png"
        assert (await response.read()).startswith(b"\x89PNG")


async def test_threads_are_listed_with_title_and_picture(client: Client) -> None:
    empty = await client.make_thread()
    thread = await client.make_thread()
    await client.answer(thread, "What is it?", ("a.png", RED))
    _, listed = await client.get("/api/threads")
    (shown,) = listed["threads"]
    assert shown["thread_id"] == thread != empty
    assert shown["title"] == "What is it?"
    assert shown["picture_url"] == f"/api/threads/{thread}/pictures/1"


async def test_a_deleted_thread_is_gone_with_its_pictures(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "What is it?", ("a.png", RED))
    async with client.http.delete(f"/api/threads/{thread}") as response:
        assert response.status == 204
    assert await client.get(f"/api/threads/{thread}") == (
        404,
        {"error": "There is no such thread."},
    )
    assert (await client.get(f"/api/threads/{thread}/pictures/1"))[0] == 404
    assert not list((client.folder / "pictures").rglob("*.png"))
    async with client.http.delete(f"/api/threads/{thread}") as response:
        assert response.status == 404


async def test_stop_ends_the_stream_with_what_was_said(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    backend.hold()
    backend.answer = lambda _: "one two three"
    async with await client.ask(thread, "q") as response:
        stream = events(response)
        backend.release(1)
        async for name, _ in stream:
            if name == "delta":
                break
        async with client.http.post(f"/api/threads/{thread}/stop") as stopped:
            assert stopped.status == 204
        rest = [event async for event in stream]
    assert rest[-1][0] == "done"
    assert (rest[-1][1]["outcome"], rest[-1][1]["text"]) == ("stopped", "one")
    assert rest[-1][1]["receipt"]["notes"] == ["Stopped."]


async def test_asked_again_the_last_question_gets_another_answer(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    async with client.http.post(f"/api/threads/{thread}/again") as response:
        assert response.status == 409
    await client.answer(thread, "q", ("a.png", RED))
    backend.answer = lambda _: "another"
    for _ in range(2):
        async with client.http.post(f"/api/threads/{thread}/again") as response:
            stream = [event async for event in events(response)]
        assert stream[-1][1]["text"] == "another"
        assert stream[-1][1]["receipt"]["pictures"][0]["number"] == 1
    _, shown = await client.get(f"/api/threads/{thread}")
    assert [turn["answer"] for turn in shown["turns"]] == ["another"]


async def test_a_page_that_goes_away_does_not_stop_the_answer_and_can_come_back(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    backend.hold()
    backend.answer = lambda _: "one two three"
    response = await client.ask(thread, "q", ("a.png", RED))
    backend.release(2)
    async for name, data in events(response):
        if name == "delta" and "two" in data["text"]:
            break
    response.close()
    _, shown = await client.get(f"/api/threads/{thread}")
    assert shown["turns"][0]["state"] == "pending"
    async with client.http.get(f"/api/threads/{thread}/events") as again:
        stream = events(again)
        heard = [await anext(stream), await anext(stream)]
        assert ("delta", {"text": "one two"}) in heard
        backend.release()
        rest = [event async for event in stream]
    assert rest[-1][1]["text"] == "one two three"
    async with client.http.get(f"/api/threads/{thread}/events") as nothing:
        assert nothing.status == 204


async def test_two_threads_stream_at_the_same_time_and_the_second_knows_its_place(
    client: Client, backend: ScriptedModel
) -> None:
    backend.hold()
    first, second = [await client.make_thread() for _ in range(2)]
    one = await client.ask(first, "a")
    await until(lambda: len(backend.requests) == 1)
    two = await client.ask(second, "b")
    statuses = []
    async for name, data in events(two):
        statuses.append((name, data))
        if data.get("position"):
            break
    assert statuses[-1] == ("status", {"stage": "queued", "position": 1})
    backend.release()
    assert [event async for event in events(one)][-1][1]["text"] == "answer to a"
    assert [event async for event in events(two)][-1][1]["text"] == "answer to b"


async def test_a_picture_that_cannot_be_used_is_an_error_event_with_a_sentence(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    stream = await client.answer(thread, "What?", ("notes.txt", b"hello"))
    assert stream[-1][0] == "error"
    assert "“notes.txt” was left out" in stream[-1][1]["message"]
    assert not any(name == "delta" for name, _ in stream)
    _, shown = await client.get(f"/api/threads/{thread}")
    assert shown["turns"][0]["state"] == "refused"
    assert "notes.txt" in shown["turns"][0]["answer"]
    assert backend.requests == []


async def test_sentences_come_in_the_visitors_language(client: Client) -> None:
    thread = await client.make_thread()
    japanese = {"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"}
    stream = await client.answer(thread, "何？", ("notes.txt", b"hello"), **japanese)
    assert "「notes.txt」は使えませんでした" in stream[-1][1]["message"]
    async with client.http.get("/api/info", headers=japanese) as response:
        info = await response.json()
    assert info["language"] == "ja"
    assert info["texts"]["page_send"] == "質問する"


async def test_info_says_which_model_answers_and_what_it_cannot_do(
    tmp_path: Path,
) -> None:
    backend = ScriptedModel(limitations=(Limitation.NO_TEXT,), languages=("en",))
    async with running_playground(tmp_path, backend) as client:
        _, info = await client.get("/api/info")
    assert info["model"]["name"] == "scripted"
    assert info["model"]["cannot"] == [
        "It can't read text.",
        "It understands English only.",
    ]
    assert [sample["name"] for sample in info["samples"]]


async def test_a_file_beyond_the_byte_limit_is_named_and_the_rest_is_used(
    client: Client,
) -> None:
    thread = await client.make_thread()
    stream = await client.answer(thread, "q", ("huge.png", bytes(150_000)), ("a.png", RED))
    receipt = stream[-1][1]["receipt"]
    assert [p["name"] for p in receipt["pictures"]] == ["a.png"]
    assert "“huge.png” was left out: it is 0.1 MB" in receipt["skipped"][0]


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
async def test_beside_a_part_without_a_file_a_picture_counts_alone(
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


async def test_a_thread_deleted_under_running_and_coming_questions_does_not_come_back(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    backend.hold()
    first = await client.ask(thread, "first", ("a.png", RED))
    await until(lambda: len(backend.requests) == 1)
    deleting = asyncio.create_task(client.http.delete(f"/api/threads/{thread}"))
    others = [asyncio.create_task(client.ask(thread, f"q{i}")) for i in range(5)]
    assert (await deleting).status == 204
    for response in [first, *await asyncio.gather(*others)]:
        response.close()
    backend.release()
    await until(lambda: not client.answers._questions.count)
    assert (await client.get(f"/api/threads/{thread}"))[0] == 404
    assert not list((client.folder / "pictures").rglob("*.png"))


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


async def test_senders_who_go_quiet_do_not_keep_others_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.web.uploads.IDLE_S", 0.3)
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
    async with asyncio.timeout(5):
        stream = await client.answer(await client.make_thread(), "q")
    assert stream[-1][1]["text"] == "answer to q"
    for writer in quiet:
        writer.close()


async def test_asked_again_twice_at_once_the_second_is_refused(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q", ("a.png", RED))
    backend.hold()
    again = [client.http.post(f"/api/threads/{thread}/again") for _ in range(3)]
    responses = await asyncio.gather(*again)
    assert sorted(response.status for response in responses) == [200, 409, 409]
    backend.release()
    for response in responses:
        if response.status == 200:
            assert [event async for event in events(response)][-1][0] == "done"
        response.close()


async def test_a_picture_is_sent_again_only_when_it_has_changed(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q", ("a.png", RED))
    path = f"/api/threads/{thread}/pictures/1"
    async with client.http.get(path) as response:
        etag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "no-cache"
    async with client.http.get(path, headers={"If-None-Match": etag}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 400),
        (b"no boundary", "multipart/form-data", 400),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400),
    ],
)
async def test_what_is_no_form_is_refused_with_a_sentence(
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
        assert "larger than" in (await response.json())["error"]
    assert not list((client.folder / "uploads").iterdir())


async def test_a_question_in_a_thread_that_is_not_there_is_refused(client: Client) -> None:
    async with await client.ask("nonsense", "q") as response:
        assert response.status == 404


async def test_a_bot_that_is_shutting_down_says_so(client: Client) -> None:
    thread = await client.make_thread()
    await client.answers.drain(0)
    async with await client.ask(thread, "q") as response:
        assert response.status == 503
        assert "shutting down" in (await response.json())["error"]


async def test_an_unfinished_question_goes_on_after_a_restart_and_the_page_can_follow(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_playground(tmp_path, backend) as client:
        thread = await client.make_thread()
        response = await client.ask(thread, "What is it?", ("a.png", RED))
        await until(lambda: bool(backend.requests))
        response.close()
    restarted = ScriptedModel()
    restarted.hold()
    async with running_playground(tmp_path, restarted) as client:
        async with client.http.get(f"/api/threads/{thread}/events") as response:
            assert response.status == 200
            restarted.release()
            stream = [event async for event in events(response)]
        assert stream[-1][1]["text"] == "answer to What is it?"
        _, shown = await client.get(f"/api/threads/{thread}")
        assert [turn["state"] for turn in shown["turns"]] == ["answered"]
    assert len(restarted.requests) == 1
    assert len(restarted.requests[0].messages[0].pictures) == 1


async def test_an_answer_cut_at_its_longest_says_so(client: Client, backend: ScriptedModel) -> None:
    backend.reason = FinishReason.LENGTH
    thread = await client.make_thread()
    stream = await client.answer(thread, "q")
    assert "maximum length" in stream[-1][1]["receipt"]["notes"][0]


# -- text that is none ----------------------------------------------------------------------------


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
async def test_words_of_a_form_are_read_cleaned(sent: bytes, question: str, client: Client) -> None:
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
    assert shown["title"] == shown["turns"][0]["question"] == question
    assert shown["turns"][0]["pictures"][0]["name"] == "a\ufffdb.png"


@pytest.mark.parametrize("thread", ["%ED%A0%BD", "%00", "%FF", "a%0Ab", "%25", "."])
async def test_an_odd_address_is_a_thread_that_is_not_there(thread: str, client: Client) -> None:
    url = URL(f"{client.playground.address}/api/threads/{thread}/messages", encoded=True)
    async with client.http.post(url, data=form_of(b"q"), headers={}) as response:
        assert response.status == 404


# -- every stream has an end ----------------------------------------------------------------------

DISK = "I couldn't write to my disk just now. Please try again in a moment."


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_question_that_cannot_be_written_down_is_refused_before_a_stream_begins(
    fault: str, tmp_path: Path
) -> None:
    backend = ScriptedModel(context_tokens=20_000)
    async with running_playground(tmp_path, backend) as client:
        thread = await client.make_thread()
        with FAULTS[fault](client.store):
            async with await client.ask(thread, LONG, ("a.png", RED)) as response:
                assert response.status == 503
                assert (await response.json())["error"] == DISK
        uploads = tmp_path / "uploads"
        await until(lambda: not uploads.exists() or not list(uploads.iterdir()))
        assert (await client.answer(thread, "q", ("a.png", RED)))[-1][0] == "done"
    assert len(backend.requests) == 1


@pytest.mark.parametrize("step", [step for step in STEPS if step != "claim"])
async def test_whichever_step_fails_the_stream_has_an_end_and_the_thread_shows_it(
    step: str, client: Client
) -> None:
    thread = await client.make_thread()
    with fails_at(client.store, step):
        name, data = (await client.answer(thread, "q", ("a.png", RED)))[-1]
    text = data["message"] if name == "error" else data["text"]
    assert text == (DISK if step == "begin_turn" else "answer to q")
    await until(lambda: not client.answers._tasks)
    await client.store.late.flush()
    _, shown = await client.get(f"/api/threads/{thread}")
    assert [turn["answer"] for turn in shown["turns"]] == [text]


async def test_the_response_begins_after_the_claim(client: Client) -> None:
    thread = await client.make_thread()
    with locked(client.store):
        client.store.database.busy_s = 20
        asking = asyncio.create_task(client.ask(thread, "q"))
        await until(lambda: bool(client.answers._questions.count))
        await asyncio.sleep(0.2)
        assert not asking.done()
    async with await asking as response:
        assert response.status == 200
        assert [name async for name, _ in events(response)][-1] == "done"


async def test_a_shutdown_ends_the_streams_and_says_that_the_question_is_kept(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    backend.hold()
    async with await client.ask(thread, "q", **{"Accept-Language": "ja"}) as response:
        stream = events(response)
        assert (await anext(stream))[0] == "status"
        await client.answers.drain(0)
        name, data = [event async for event in stream][-1]
    assert (name, data["resumes"]) == ("error", True)
    assert data["message"].startswith("ボットを再起動しています。")
    backend.release()


async def test_a_question_that_comes_while_its_thread_is_forgotten_is_refused(
    client: Client,
) -> None:
    thread = await client.make_thread()
    with client.answers._questions.closed(server._thread_key(thread)):
        async with await client.ask(thread, "q") as response:
            assert response.status == 404
            assert (await response.json())["error"] == "This thread has been deleted."


async def test_a_fault_of_ours_ends_the_stream_with_a_sentence_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(client.answers, "_process", broken)
    async with await client.ask(await client.make_thread(), "q") as response:
        assert response.status == 500
        assert (await response.json())["error"].startswith("Something went wrong")


async def test_an_event_that_cannot_be_sent_ends_the_stream_with_a_sentence(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_sse = server._as_sse

    def breaks_at_the_end(event: tuple[str, object]) -> bytes:
        if event[0] == "done":
            raise ValueError
        return as_sse(event)  # type: ignore[arg-type]

    monkeypatch.setattr(server, "_as_sse", breaks_at_the_end)
    name, data = (await client.answer(await client.make_thread(), "q"))[-1]
    assert name == "error"
    assert data["message"].startswith("Something went wrong")


async def test_other_requests_say_that_the_disk_cannot_be_used(client: Client) -> None:
    thread = await client.make_thread()
    with locked(client.store):
        for method, path in (("POST", "/api/threads"), ("DELETE", f"/api/threads/{thread}")):
            async with client.http.request(method, path) as response:
                assert response.status == 503
                assert (await response.json())["error"] == DISK


async def test_an_upload_that_cannot_be_written_gets_a_sentence(client: Client) -> None:
    thread = await client.make_thread()
    (client.folder / "uploads").write_text("no folder")
    async with await client.ask(thread, "q", ("a.png", RED)) as response:
        assert response.status == 503
        assert (await response.json())["error"] == DISK


# -- who may talk to it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "["},
        {"Origin": "http://["},
    ],
)
async def test_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/api/threads"), ("GET", "/api/threads"), ("GET", "/api/info")):
        async with client.http.request(method, path, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["error"]
    _, listed = await client.get("/api/threads")
    assert listed == {"threads": []}


async def test_a_link_from_another_site_opens_the_page_but_nothing_else(client: Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with client.http.get("/", headers=link) as response:
        assert response.status == 200
    async with client.http.get("/api/threads", headers=link) as response:
        assert response.status == 403


async def test_the_page_may_load_nothing_from_elsewhere(client: Client) -> None:
    async with client.http.get("/") as response:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "http" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")


async def test_with_a_password_nothing_is_shown_without_it(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    def basic(text: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    async with running_playground(tmp_path, backend, password="pässword") as client:
        for path in ("/", "/api/threads", "/static/app.js"):
            for headers in ({}, basic("x:wrong"), {"Authorization": "Basic %%%"}):
                async with client.http.get(path, headers=headers) as response:
                    assert response.status == 401
                    assert "Basic" in response.headers["WWW-Authenticate"]
            async with client.http.get(path, headers=basic("x:pässword")) as response:
                assert response.status == 200


async def test_an_unknown_address_gets_a_sentence(client: Client) -> None:
    status, body = await client.get("/api/nothing")
    assert (status, body["error"]) == (404, "There is nothing at this address.")


async def test_a_surprise_is_a_sentence_and_its_message_stays_out_of_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    private = "what somebody wrote"

    async def broken(*_: object) -> None:
        raise RuntimeError(private)

    monkeypatch.setattr(client.store, "list_threads", broken)
    status, body = await client.get("/api/threads")
    assert status == 500
    assert body["error"].startswith("Something went wrong")
    assert "RuntimeError" in caplog.text
    assert private not in caplog.text + str(body)
    await asyncio.sleep(0)
