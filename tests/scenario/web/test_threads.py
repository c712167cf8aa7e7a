"""The playground's HTTP interface, as docs/playground.md promises it: threads and answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.texts import say
from inference.types import FinishReason, Limitation
from tests.engines import ScriptedModel
from tests.scenario.core import BLUE, RED
from tests.scenario.playground import Client, events, running_playground
from tests.waiting import until


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
    assert shown["title"].endswith("What is it?")
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


async def test_stop_ends_the_stream_with_the_text_so_far(
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


async def test_asking_again_gives_the_last_question_another_answer(
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


async def test_a_question_that_was_refused_starts_over_when_it_is_asked_again(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    refused = (await client.answer(thread, ""))[-1]
    assert refused[0] == "error"
    async with client.http.post(f"/api/threads/{thread}/again") as response:
        stream = [event async for event in events(response)]
    assert stream[-1] == refused  # it is still no question
    assert not backend.requests


async def test_a_refused_question_whose_upload_is_gone_asks_for_its_pictures(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    refused = (await client.answer(thread, "q", ("a.bin", bytes(range(256)))))[-1]
    assert refused[0] == "error"
    async with client.http.post(f"/api/threads/{thread}/again") as response:
        stream = [event async for event in events(response)]
    assert stream[-1][0] == "error"
    assert stream[-1][1]["message"] == say("en", "pictures_needed_again")
    assert not backend.requests


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


async def test_two_threads_stream_at_once_and_the_second_knows_its_position(
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


async def test_sentences_come_in_the_visitors_language(client: Client) -> None:
    thread = await client.make_thread()
    japanese = {"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"}
    stream = await client.answer(thread, "何？", ("notes.bin", bytes(range(256))), **japanese)
    assert "「notes.bin」は使えませんでした" in stream[-1][1]["message"]
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
    questions = [sample["question"] for sample in info["samples"]]
    assert len(set(questions)) == len(questions) >= 2, "each sample shows something else"


async def test_samples_ask_in_the_visitors_language_if_the_model_understands_it(
    tmp_path: Path,
) -> None:
    for languages, expected in [((), "ja"), (("en",), "en")]:
        backend = ScriptedModel(languages=languages)
        async with (
            running_playground(tmp_path, backend) as client,
            client.http.get("/api/info", headers={"Accept-Language": "ja"}) as response,
        ):
            cat = (await response.json())["samples"][0]
        assert cat["question"] == say(expected, "sample_cat_question")
        assert cat["title"] == say("ja", "sample_cat")


async def test_a_sample_with_text_is_offered_only_where_the_model_reads_text(
    tmp_path: Path,
) -> None:
    for limits, expected in [((), True), ((Limitation.NO_TEXT,), False)]:
        backend = ScriptedModel(limitations=limits)
        async with running_playground(tmp_path, backend) as client:
            _, info = await client.get("/api/info")
            names = [sample["name"] for sample in info["samples"]]
            assert ("receipt.jpg" in names) is expected
            assert {"cat.jpg", "coffee.jpg"} <= set(names)


async def test_a_thread_deleted_during_its_questions_does_not_come_back(
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
    await until(lambda: not client.answers.num_in_flight)
    assert (await client.get(f"/api/threads/{thread}"))[0] == 404
    assert not list((client.folder / "pictures").rglob("*.png"))


async def test_of_two_concurrent_requests_to_ask_again_the_second_is_refused(
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


async def test_a_picture_is_resent_only_if_it_changed(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q", ("a.png", RED))
    path = f"/api/threads/{thread}/pictures/1"
    async with client.http.get(path) as response:
        etag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "private, no-cache"
    async with client.http.get(path, headers={"If-None-Match": etag}) as response:
        assert response.status == 304


async def test_a_question_in_a_thread_that_is_not_there_is_refused(client: Client) -> None:
    async with await client.ask("nonsense", "q") as response:
        assert response.status == 404


async def test_a_bot_that_is_shutting_down_says_so(client: Client) -> None:
    thread = await client.make_thread()
    await client.answers.drain(0)
    async with await client.ask(thread, "q") as response:
        assert response.status == 503
        assert "shutting down" in (await response.json())["error"]


async def test_an_unfinished_question_continues_after_a_restart_and_the_page_can_follow(
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


async def test_an_answer_cut_at_its_maximum_length_says_so(
    client: Client, backend: ScriptedModel
) -> None:
    backend.reason = FinishReason.LENGTH
    thread = await client.make_thread()
    stream = await client.answer(thread, "q")
    assert "maximum length" in stream[-1][1]["receipt"]["notes"][0]


async def test_a_picture_that_made_room_is_named_in_its_thread(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    limits = {"max_kept_bytes": 1}
    async with running_playground(tmp_path, backend, picture_limits=limits) as client:
        thread = await client.make_thread()
        await client.answer(thread, "What?", ("cat.png", RED))
        _, shown = await client.get(f"/api/threads/{thread}")
    assert shown["turns"][0]["pictures"] == []
    assert shown["turns"][0]["receipt"]["dropped"][-1] == (
        "Picture 1 (“cat.png”) was deleted to make room for newer ones."
    )
