"""A thread is shared by a link, for reading or for asking, until its owner takes the link back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events, running_playground
from tests.scenario.web.visitors import (
    PASSWORD,
    Visitor,
    cannot_reach,
    status,
    threads_of,
    visiting,
)
from tests.waiting import until


@pytest.fixture
async def team(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend, password=PASSWORD) as client:
        yield client


@pytest.fixture
async def ann(team: Client) -> AsyncIterator[Visitor]:
    async with visiting(team, "Ann") as ann:
        yield ann


@pytest.fixture
async def bob(team: Client) -> AsyncIterator[Visitor]:
    async with visiting(team) as bob:
        yield bob


async def share(owner: Visitor, thread: str, **body: object) -> str:
    """Returns: the link's token."""
    async with owner.http.post(f"/api/threads/{thread}/share", json=body) as response:
        assert response.status == 200
        path: str = (await response.json())["path"]
    assert path.startswith("/#/s/")  # in a fragment, which no server and no log sees
    return path.removeprefix("/#/s/")


async def open_link(visitor: Visitor, token: str) -> tuple[int, Any]:
    async with visitor.http.post(f"/api/shared/{token}") as response:
        return response.status, await response.json()


async def asked(owner: Visitor) -> str:
    thread = await owner.make_thread()
    await owner.answer(thread, "What is it?", ("a.png", RED))
    return thread


async def test_who_opens_the_link_may_read_and_nothing_else(ann: Visitor, bob: Visitor) -> None:
    thread = await asked(ann)
    token = await share(ann, thread)
    await cannot_reach(bob, thread)  # the link alone lets in, not that it was made
    assert await open_link(bob, token) == (200, {"thread_id": thread})
    path = f"/api/threads/{thread}"
    _, shown = await bob.get(path)
    assert shown["turns"][0]["author"] == {"name": "Ann", "is_me": False}
    assert (shown["is_mine"], shown["can_ask"], shown["can_delete"]) == (False, False, False)
    assert (shown["share"], shown["shared_by"]) == (None, "Ann")  # the link is the owner's to give
    assert await status(bob, "GET", f"{path}/pictures/1") == 200
    assert await status(bob, "GET", f"{path}/events") == 204
    for method, rest in (
        ("DELETE", ""),
        ("POST", "/messages"),
        ("POST", "/again"),
        ("POST", "/share"),
        ("DELETE", "/share"),
    ):
        assert await status(bob, method, path + rest) == 403, (method, rest)
    (listed,) = await threads_of(bob)
    assert (listed["is_mine"], listed["is_shared"]) == (False, True)
    (listed,) = await threads_of(ann)
    assert (listed["is_mine"], listed["is_shared"]) == (True, True)


async def test_a_guest_may_ask_on_if_the_owner_chose_so(
    ann: Visitor, bob: Visitor, backend: ScriptedModel
) -> None:
    thread = await asked(ann)
    await open_link(bob, await share(ann, thread, can_ask=True))
    await status(bob, "PUT", "/api/me", {"name": "Bob"})
    assert (await bob.answer(thread, "And its colour?"))[-1][0] == "done"
    assert backend.requests[-1].messages[-1].text == "Bob: And its colour?"
    _, shown = await ann.get(f"/api/threads/{thread}")
    assert [turn["author"]["name"] for turn in shown["turns"]] == ["Ann", "Bob"]
    # Each asks their own questions again, so that nobody spends another's limit.
    assert await status(ann, "POST", f"/api/threads/{thread}/again") == 403
    assert await status(bob, "POST", f"/api/threads/{thread}/again") == 200
    await share(ann, thread, can_ask=False)
    assert await status(bob, "POST", f"/api/threads/{thread}/again") == 403


async def test_a_guest_stops_their_own_question_and_the_owner_any(
    team: Client, ann: Visitor, bob: Visitor, backend: ScriptedModel
) -> None:
    thread = await asked(ann)
    await open_link(bob, await share(ann, thread, can_ask=True))
    backend.hold()
    first = asyncio.create_task(ann.answer(thread, "first"))
    await until(lambda: team.answers.num_in_flight == 1)
    assert await status(bob, "POST", f"/api/threads/{thread}/stop") == 204
    second = asyncio.create_task(bob.answer(thread, "second"))
    await until(lambda: team.answers.num_in_flight == 2)
    assert await status(bob, "POST", f"/api/threads/{thread}/stop") == 204
    assert (await second)[-1][1]["outcome"] == "stopped"
    await until(lambda: team.answers.num_in_flight == 1)
    assert not first.done()
    third = asyncio.create_task(bob.answer(thread, "third"))
    await until(lambda: team.answers.num_in_flight == 2)
    for asking in (first, third):
        assert await status(ann, "POST", f"/api/threads/{thread}/stop") == 204
        assert (await asking)[-1][1]["outcome"] == "stopped"
    backend.release()


async def test_taking_the_link_back_works_at_once_on_streams_too(
    team: Client, ann: Visitor, bob: Visitor, backend: ScriptedModel
) -> None:
    thread = await asked(ann)
    token = await share(ann, thread)
    await open_link(bob, token)
    backend.hold()
    backend.answer = lambda _: "one two three"
    async with await ann.ask(thread, "Count.") as asking:
        own = events(asking)
        backend.release(1)
        async for name, _ in own:
            if name == "delta":
                break
        async with bob.http.get(f"/api/threads/{thread}/events") as following:
            seen = events(following)
            await anext(seen)
            assert await status(ann, "DELETE", f"/api/threads/{thread}/share") == 204
            name, data = [event async for event in seen][-1]
        assert (name, data["message"]) == ("error", "This thread is no longer shared with you.")
        await cannot_reach(bob, thread)
        backend.release()
        assert [event async for event in own][-1][0] == "done"
    assert await open_link(bob, token) == (
        404,
        {
            "error": "This link no longer leads to a thread. "
            "Ask the person who sent it for a new one."
        },
    )
    assert await share(ann, thread) != token


async def test_a_deleted_thread_takes_its_link_along(ann: Visitor, bob: Visitor) -> None:
    thread = await asked(ann)
    token = await share(ann, thread)
    await open_link(bob, token)
    assert await status(ann, "DELETE", f"/api/threads/{thread}") == 204
    assert (await open_link(bob, token))[0] == 404
    assert await threads_of(bob) == []


async def test_a_guest_leaves_and_is_forgotten_without_a_trace_in_the_thread(
    ann: Visitor, bob: Visitor
) -> None:
    thread = await asked(ann)
    token = await share(ann, thread, can_ask=True)
    await open_link(bob, token)
    assert await status(bob, "POST", f"/api/threads/{thread}/leave") == 204
    await cannot_reach(bob, thread)
    await open_link(bob, token)
    await bob.answer(thread, "mine")
    assert await status(bob, "DELETE", "/api/me") == 200
    _, shown = await ann.get(f"/api/threads/{thread}")
    assert [turn["question"] for turn in shown["turns"]] == ["What is it?"]


async def test_an_owner_who_is_forgotten_takes_the_shared_thread_along(
    team: Client, ann: Visitor, bob: Visitor, backend: ScriptedModel
) -> None:
    thread = await asked(ann)
    await open_link(bob, await share(ann, thread, can_ask=True))
    await bob.answer(thread, "mine")
    backend.hold()
    asking = asyncio.create_task(bob.answer(thread, "being answered"))
    await until(lambda: len(backend.requests) == 3)
    assert await status(ann, "DELETE", "/api/me") == 200
    assert team.answers.num_in_flight == 0  # nothing goes on about what was erased
    assert (await asking)[-1][0] in {"done", "error"}
    await cannot_reach(bob, thread)
    backend.release()


async def test_guests_pages_learn_at_once_that_an_owner_was_forgotten(
    ann: Visitor, bob: Visitor
) -> None:
    thread = await asked(ann)
    await open_link(bob, await share(ann, thread))
    async with bob.http.get("/api/events") as following, asyncio.timeout(30):
        changes = events(following)
        await anext(changes)
        assert await status(ann, "DELETE", "/api/me") == 200
        assert thread in str(await anext(changes))


async def test_an_owners_page_learns_at_once_that_a_guest_was_forgotten(
    ann: Visitor, bob: Visitor
) -> None:
    thread = await asked(ann)
    await open_link(bob, await share(ann, thread, can_ask=True))
    await bob.answer(thread, "mine")
    assert await status(bob, "POST", f"/api/threads/{thread}/leave") == 204  # what he asked stays
    async with ann.http.get("/api/events") as following, asyncio.timeout(30):
        changes = events(following)
        await anext(changes)
        assert await status(bob, "DELETE", "/api/me") == 200
        assert thread in str(await anext(changes))


@pytest.mark.parametrize("token", ["x", "%00", "..", "a" * 2_000, "%F0%9F%92%A9"])
async def test_a_guessed_link_leads_nowhere(token: str, bob: Visitor) -> None:
    assert await status(bob, "POST", f"/api/shared/{token}") == 404


@pytest.mark.parametrize("body", [{"can_ask": "yes"}, {"can_ask": 1}, [], "x"])
async def test_an_odd_request_to_share_gets_a_sentence(body: object, ann: Visitor) -> None:
    assert await status(ann, "POST", f"/api/threads/{await ann.make_thread()}/share", body) == 400


async def test_links_stop_working_when_sharing_is_switched_off(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with (
        running_playground(tmp_path, backend, password=PASSWORD) as client,
        visiting(client, "ann") as ann,
        visiting(client, "bob") as bob,
    ):
        thread = await asked(ann)
        token = await share(ann, thread)
        await open_link(bob, token)
    async with (
        running_playground(tmp_path, backend, password=PASSWORD, sharing=False) as client,
        visiting(client, "ann") as ann,
        visiting(client, "bob") as bob,
    ):
        await cannot_reach(bob, thread)
        assert (await open_link(bob, token))[0] == 403
        assert await status(ann, "POST", f"/api/threads/{thread}/share") == 403
        assert not (await threads_of(ann))[0]["is_shared"]
