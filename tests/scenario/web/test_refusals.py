"""A refused question: whether asking again may help, and how it is taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.images.file_names import DOCUMENT_SUFFIXES, PICTURE_SUFFIXES
from bot.values.limits import QuestionBounds
from tests.engines import ScriptedModel
from tests.pictures import plain_picture
from tests.scenario.core import BLUE, RED
from tests.scenario.playground import Client, events, running_playground


def error_of(stream: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    name, data = stream[-1]
    assert name == "error"
    return data


async def test_a_failure_of_the_model_may_be_asked_again(
    client: Client, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    backend.raises = RuntimeError()
    error = error_of(await client.answer(thread, "What?", ("a.png", RED)))
    assert error["retry"] is True
    assert (await client.get(f"/api/threads/{thread}"))[1]["turns"][-1]["retry"] is True
    backend.raises = None
    async with client.http.post(f"/api/threads/{thread}/again") as response:
        again = [event async for event in events(response)]
    assert again[-1][0] == "done"


async def test_what_would_be_refused_again_says_so(client: Client) -> None:
    thread = await client.make_thread()
    for text, *files in (
        ("What?", ("a.png", RED[:40])),
        ("word " * 1_000,),
        ("",),
    ):
        assert error_of(await client.answer(thread, text, *files))["retry"] is False
        assert (await client.get(f"/api/threads/{thread}"))[1]["turns"][-1]["retry"] is False


async def test_a_model_that_needs_a_picture_says_so(tmp_path: Path) -> None:
    backend = ScriptedModel(needs_picture=True)
    async with running_playground(tmp_path, backend) as client:
        error = error_of(await client.answer(await client.make_thread(), "What?"))
    assert error["retry"] is False


async def test_a_question_whose_upload_is_gone_cannot_be_asked_again(
    tmp_path: Path,
) -> None:
    backend = ScriptedModel()
    async with running_playground(tmp_path, backend, questions_per_user=1) as client:
        backend.hold()
        first = await client.ask(await client.make_thread(), "first")
        second = await client.make_thread()
        assert error_of(await client.answer(second, "q", ("a.png", RED)))["retry"] is False
        assert (await client.get(f"/api/threads/{second}"))[1]["turns"][-1]["retry"] is False
        assert error_of(await client.answer(second, "without a picture"))["retry"] is True
        backend.release()
        assert [event async for event in events(first)][-1][0] == "done"


async def test_a_question_that_is_taken_back_is_gone_with_its_pictures(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "first", ("a.png", RED))
    error = error_of(await client.answer(thread, "second", ("b.png", BLUE[:40])))
    await client.answer(thread, "third", ("c.png", BLUE))
    _, shown = await client.get(f"/api/threads/{thread}")
    third = shown["turns"][-1]
    for message in (error["message_id"], third["message_id"]):
        path = f"/api/threads/{thread}/messages/{message}"
        async with client.http.delete(path) as response:
            assert response.status == 204
        async with client.http.delete(path) as response:
            assert response.status == 404
    _, shown = await client.get(f"/api/threads/{thread}")
    assert [turn["question"] for turn in shown["turns"]] == ["first"]
    assert (await client.get(third["pictures"][0]["url"]))[0] == 404


async def test_a_question_is_taken_back_through_its_own_thread_alone(client: Client) -> None:
    thread, other = await client.make_thread(), await client.make_thread()
    await client.answer(thread, "q")
    _, shown = await client.get(f"/api/threads/{thread}")
    path = f"/api/threads/{other}/messages/{shown['turns'][0]['message_id']}"
    async with client.http.delete(path) as response:
        assert response.status == 404
        assert (await response.json())["error"] == "There is no such question."
    assert (await client.get(f"/api/threads/{thread}"))[1] == shown


async def test_a_thread_whose_only_question_was_taken_back_is_not_listed(client: Client) -> None:
    thread = await client.make_thread()
    error = error_of(await client.answer(thread, "q", ("a.png", RED[:40])))
    path = f"/api/threads/{thread}/messages/{error['message_id']}"
    async with client.http.delete(path) as response:
        assert response.status == 204
    assert (await client.get("/api/threads"))[1] == {"threads": []}


async def test_the_limits_that_a_page_checks_are_those_of_the_server(client: Client) -> None:
    limits = (await client.get("/api/info"))[1]["limits"]
    assert limits["types"] == sorted(PICTURE_SUFFIXES | DOCUMENT_SUFFIXES)
    assert limits["file_mb"] == 0.1
    assert limits["pictures_per_question"] == 2
    narrow = plain_picture((0, 0, 0), (limits["aspect"] + 1, 1)).data
    too_narrow, too_large = "too narrow", "it is 100.1 KB; the limit is 100 KB"
    for data, sentence in ((narrow, too_narrow), (bytes(100_001), too_large)):
        stream = await client.answer(await client.make_thread(), "q", ("a.png", data))
        assert sentence in error_of(stream)["message"]
    assert (limits["megapixels"], limits["jpeg_megapixels"]) == (50, 200)


async def test_beyond_a_bound_the_question_stays_in_its_thread_and_can_be_asked_again(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    bounds = QuestionBounds(user_per_minute=1)
    async with running_playground(tmp_path, backend, bounds=bounds) as client:
        thread = await client.make_thread()
        await client.answer(thread, "first")
        error = error_of(await client.answer(thread, "second"))
        assert error["message"].startswith("You have asked 1 question in the last minute.")
        assert error["retry"] is True
        shown = (await client.get(f"/api/threads/{thread}"))[1]["turns"][-1]
        assert (shown["question"], shown["state"], shown["retry"]) == ("second", "refused", True)
        assert len(backend.requests) == 1
