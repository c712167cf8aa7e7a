"""Every event stream has an end, whatever fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.platforms.web import keys, streams
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events, running_playground
from tests.store_faults import FAULTS, LONG, STEPS, fails_at, locked, sentence_of
from tests.waiting import until

DISK = "I couldn't write to my disk just now. Please try again in a moment."


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_question_that_cannot_be_stored_is_refused_before_a_stream_begins(
    fault: str, tmp_path: Path
) -> None:
    backend = ScriptedModel(context_tokens=20_000)
    async with running_playground(tmp_path, backend) as client:
        thread = await client.make_thread()
        with FAULTS[fault](client.store):
            async with await client.ask(thread, LONG, ("a.png", RED)) as response:
                assert response.status == 503
                assert (await response.json())["error"] == sentence_of(fault)
        uploads = tmp_path / "uploads"
        await until(lambda: not uploads.exists() or not list(uploads.iterdir()))
        assert (await client.answer(thread, "q", ("a.png", RED)))[-1][0] == "done"
    assert len(backend.requests) == 1


@pytest.mark.parametrize("step", [step for step in STEPS if step != "claim"])
async def test_the_stream_ends_whichever_step_fails_and_the_thread_shows_it(
    step: str, client: Client
) -> None:
    thread = await client.make_thread()
    with fails_at(client.store, step):
        name, data = (await client.answer(thread, "q", ("a.png", RED)))[-1]
    text = data["message"] if name == "error" else data["text"]
    assert text == (DISK if step == "begin_turn" else "answer to q")
    await until(lambda: not client.answers.num_in_flight)
    await client.store.late.flush()
    _, shown = await client.get(f"/api/threads/{thread}")
    assert [turn["answer"] for turn in shown["turns"]] == [text]


async def test_the_response_begins_after_the_claim(client: Client) -> None:
    thread = await client.make_thread()
    with locked(client.store):
        client.store.database.busy_s = 20
        asking = asyncio.create_task(client.ask(thread, "q"))
        await until(lambda: client.answers.num_in_flight > 0)
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
    with client.questions.closed(keys.thread_key(thread)):
        async with await client.ask(thread, "q") as response:
            assert response.status == 404
            assert (await response.json())["error"] == "This thread has been deleted."


async def test_an_unexpected_exception_ends_the_stream_with_a_sentence(
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
    as_sse = streams.as_sse

    def breaks_at_the_end(event: tuple[str, object]) -> bytes:
        if event[0] == "done":
            raise ValueError
        return as_sse(event)  # type: ignore[arg-type]

    monkeypatch.setattr(streams, "as_sse", breaks_at_the_end)
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
