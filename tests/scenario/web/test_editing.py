"""The last question is changed: answered anew in other words, about the same pictures."""

from __future__ import annotations

from typing import Any

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events
from tests.waiting import until


async def edit(
    client: Client, thread: str, message: str, text: object
) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
    path = f"/api/threads/{thread}/messages/{message}"
    async with client.http.put(path, json={"text": text}) as response:
        if response.status != 200:
            return response.status, []
        return 200, [event async for event in events(response)]


async def test_a_changed_question_is_answered_in_its_place_with_its_pictures(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    message = (await client.answer(thread, "what?", ("a.png", RED)))[-1][1]["message_id"]
    status, stream = await edit(client, thread, message, "which colour?")
    assert status == 200
    assert (stream[-1][0], stream[-1][1]["text"]) == ("done", "answer to which colour?")
    _, shown = await client.get(f"/api/threads/{thread}")
    (turn,) = shown["turns"]
    assert (turn["question"], turn["answer"]) == ("which colour?", "answer to which colour?")
    assert [picture["number"] for picture in turn["pictures"]] == [1]
    assert shown["title"].endswith("which colour?")
    assert [len(it.pictures) for it in backend.requests[-1].messages] == [1]


async def test_only_the_last_question_can_be_changed(client: Client) -> None:
    thread = await client.make_thread()
    first = (await client.answer(thread, "first"))[-1][1]["message_id"]
    last = (await client.answer(thread, "last"))[-1][1]["message_id"]
    assert (await edit(client, thread, first, "x"))[0] == 409
    assert (await edit(client, thread, last, ["x"]))[0] == 400
    assert (await edit(client, thread, last, "x" * 100_001))[0] == 400
    assert (await edit(client, thread, "nonsense", "x"))[0] == 404
    assert (await edit(client, await client.make_thread(), last, "x"))[0] == 404
    _, shown = await client.get(f"/api/threads/{thread}")
    assert [turn["question"] for turn in shown["turns"]] == ["first", "last"]


async def test_changed_while_it_is_answered_the_earlier_answer_makes_way(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    backend.hold()
    before = await client.ask(thread, "what?", ("a.png", RED))
    await until(lambda: bool(backend.requests))
    _, shown = await client.get(f"/api/threads/{thread}")
    path = f"/api/threads/{thread}/messages/{shown['turns'][0]['message_id']}"
    after = await client.http.put(path, json={"text": "which colour?"})
    assert after.status == 200
    backend.release()
    # Pages that followed the earlier answer are told to follow the new one.
    last = [event async for event in events(before)][-1]
    assert (last[0], last[1]["resumes"]) == ("error", True)
    assert [event async for event in events(after)][-1][1]["text"] == "answer to which colour?"
    assert [len(it.pictures) for it in backend.requests[-1].messages] == [1]
    after.close()
    _, shown = await client.get(f"/api/threads/{thread}")
    assert [turn["answer"] for turn in shown["turns"]] == ["answer to which colour?"]
