"""Every page of a person is told which thread changed, and nobody else's is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.engines import ScriptedModel
from tests.scenario.playground import Client, events, running_playground


@asynccontextmanager
async def followed(
    http: aiohttp.ClientSession, **options: Any
) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
    """The events of a page that follows, after it has begun to."""
    async with http.get("/api/events", **options) as response:
        assert response.status == 200
        stream = events(response)
        assert (await anext(stream))[0] == "ready"
        yield stream


async def test_a_page_is_told_of_what_happens_in_another(client: Client) -> None:
    thread, other = [await client.make_thread() for _ in range(2)]
    message = (await client.answer(thread, "q"))[-1][1]["message_id"]
    path = f"/api/threads/{thread}"
    async with followed(client.http) as stream:
        for method, rest, body in [
            ("PATCH", "", {"title": "x"}),
            ("POST", f"/messages/{message}/feedback", {"good": True}),
            ("DELETE", f"/messages/{message}", None),
            ("DELETE", "", None),
        ]:
            async with client.http.request(method, path + rest, json=body) as response:
                assert response.status < 300
            assert await anext(stream) == ("thread", {"thread_id": thread})
        await client.answer(other, "q")
        assert await anext(stream) == ("thread", {"thread_id": other})


async def test_nobody_is_told_of_another_persons_threads(tmp_path: Path) -> None:
    async with running_playground(tmp_path, ScriptedModel(), password="pw") as client:
        people = {
            name: {"Authorization": aiohttp.encode_basic_auth(name, "pw")}
            for name in ("ann", "ben")
        }
        threads = {}
        async with (
            followed(client.http, headers=people["ann"]) as of_ann,
            followed(client.http, headers=people["ben"]) as of_ben,
        ):
            for name, headers in people.items():
                async with client.http.post("/api/threads", headers=headers) as response:
                    thread = threads[name] = (await response.json())["thread_id"]
                path = f"/api/threads/{thread}"
                async with client.http.patch(
                    path, json={"title": "x"}, headers=headers
                ) as response:
                    assert response.status == 200
            assert (await anext(of_ann))[1] == {"thread_id": threads["ann"]}
            assert (await anext(of_ben))[1] == {"thread_id": threads["ben"]}


async def test_the_playground_closes_at_once_although_pages_follow(
    tmp_path: Path,
) -> None:
    async with running_playground(tmp_path, ScriptedModel()) as client:
        response = await client.http.get("/api/events")
        stream = events(response)
        assert (await anext(stream))[0] == "ready"
        await client.playground.close()
        assert [event async for event in stream] == []
