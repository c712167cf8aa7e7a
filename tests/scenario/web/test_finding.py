"""Threads are found again: their titles, the search in them, pages, renaming, deleting all."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from bot.store import StoreFailed
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, running_playground
from tests.waiting import until


async def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    status, body = await client.get(f"/api/threads{query}")
    assert status == 200
    threads: list[dict[str, Any]] = body["threads"]
    return threads


async def rename(client: Client, thread: str, title: object) -> tuple[int, Any]:
    path = f"/api/threads/{thread}"
    async with client.http.patch(path, json={"title": title}) as response:
        return response.status, await response.json()


async def test_the_first_answer_gives_a_thread_its_title(
    client: Client, backend: ScriptedModel
) -> None:
    backend.answer = lambda _: "It is a cheetah. It runs."
    thread = await client.make_thread()
    await client.answer(thread, "What is in this picture?", ("a.png", RED))
    await client.answer(thread, "And now?")
    assert [it["title"] for it in await listed(client)] == ["Cheetah – What is in this picture?"]
    _, shown = await client.get(f"/api/threads/{thread}")
    assert shown["title"] == "Cheetah – What is in this picture?"


async def test_a_title_that_cannot_be_stored_holds_no_answer_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> None:
        raise StoreFailed(OSError(errno.ENOSPC, "full"))

    thread = await client.make_thread()
    monkeypatch.setattr(client.store.listing, "entitle", failing)
    assert (await client.answer(thread, "What?"))[-1][0] == "done"
    assert [it["title"] for it in await listed(client)] == ["What?"]


async def test_a_thread_is_renamed_and_gets_its_own_title_back(
    client: Client, backend: ScriptedModel
) -> None:
    backend.answer = lambda _: "It is a cheetah."
    thread = await client.make_thread()
    await client.answer(thread, "What?")
    assert await rename(client, thread, " Our\ncat ") == (
        200,
        {"thread_id": thread, "title": "Our cat"},
    )
    async with client.http.post(f"/api/threads/{thread}/again") as response:
        await response.read()
    assert [it["title"] for it in await listed(client)] == ["Our cat"]
    assert (await rename(client, thread, "\u200b"))[1]["title"] == "Cheetah – What?"
    assert (await rename(client, thread, "x" * 81))[0] == 400
    assert (await rename(client, thread, 3))[0] == 400
    assert (await rename(client, "nonsense", "x"))[0] == 404


async def test_threads_are_searched_and_come_in_pages(client: Client) -> None:
    for number in range(3):
        await client.answer(await client.make_thread(), f"question {number} 猫の写真")
    (found,) = await listed(client, "?q=QUESTION%202")
    assert found["match"] == {
        "in": "question",
        "before": "",
        "hit": "question",
        "after": " 2 猫の写真",
    }
    assert len(await listed(client, "?q=写真")) == 3
    assert await listed(client, "?q=100%25") == []
    _, first = await client.get("/api/threads?limit=2")
    assert [len(first["threads"]), "next" in first] == [2, True]
    _, second = await client.get(f"/api/threads?limit=2&before={first['next']}")
    assert [len(second["threads"]), "next" in second] == [1, False]


async def test_a_page_that_there_cannot_be_is_refused_with_a_sentence(client: Client) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "before=x", "before=1-99999999999999999999"):
        status, body = await client.get(f"/api/threads?{query}")
        assert (status, body) == (400, {"error": "The request could not be understood."}), query


async def test_all_threads_are_deleted_and_answers_in_progress_stop(
    client: Client, backend: ScriptedModel
) -> None:
    await client.answer(await client.make_thread(), "q", ("a.png", RED))
    backend.hold()
    running = await client.ask(await client.make_thread(), "running")
    await until(lambda: len(backend.requests) == 2)
    async with client.http.delete("/api/threads") as response:
        assert (response.status, await response.json()) == (200, {"threads": 2})
    running.close()
    backend.release()
    assert await listed(client) == []
    assert not list((client.folder / "pictures").rglob("*.png"))
    await until(lambda: not client.answers.num_in_flight)


async def test_more_threads_than_one_statement_takes_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.room.MAX_UNASKED", 1000)  # they are empty
    async with running_playground(tmp_path, ScriptedModel()) as client:
        threads = [await client.make_thread() for _ in range(450)]
        async with client.http.delete("/api/threads") as response:
            assert await response.json() == {"threads": len(threads)}


async def test_what_people_think_of_an_answer_is_kept_changed_and_taken_back(
    client: Client,
) -> None:
    thread = await client.make_thread()
    stream = await client.answer(thread, "q")
    path = f"/api/threads/{thread}/messages/{stream[-1][1]['message_id']}/feedback"
    for good in (True, False, None):
        async with client.http.post(path, json={"good": good}) as response:
            assert response.status == 204
        _, shown = await client.get(f"/api/threads/{thread}")
        assert [turn["good"] for turn in shown["turns"]] == [good]
    for body, status in [({"good": "yes"}, 400), ({}, 400)]:
        async with client.http.post(path, json=body) as response:
            assert response.status == status
    other = await client.make_thread()
    async with client.http.post(path.replace(thread, other), json={"good": True}) as response:
        assert response.status == 404
