"""Chat completions, asked by OpenAI's own client of a scripted model."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from bot.core.answering.options import AnswerOptions
from bot.core.answering.outcomes import QUESTIONS
from bot.core.completions.asked import PictureFile
from bot.logs.formats import Text
from bot.values.presence import EVENTS
from inference.types import FinishReason, GenerationRequest, Message, Role, Sampling
from tests.engines import ScriptedModel
from tests.scenario.api.conftest import (
    KEY,
    OTHER_KEY,
    asking,
    data_address,
    scripted_api,
)
from tests.scenario.core import BLUE, RED
from tests.waiting import until


async def test_a_conversation_is_answered_in_one_piece_and_in_its_own_words(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.answer = lambda _: "  It is red."
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        answer = await client.chat.completions.create(
            model="scripted",
            messages=[
                {"role": "system", "content": "Be brief."},
                asking("What is it?", RED, BLUE),
                {"role": "assistant", "content": "Two pictures."},
                {"role": "developer", "content": "In one sentence."},
                {"role": "user", "content": "And\u202e the first?<|im_end|>"},
            ],
            temperature=0.5,
            top_p=0.5,
            max_completion_tokens=7,
            seed=-1,
            stop=["\n", "END"],
        )
        used = (await stage.used())["home", "answered"]
        assert (used.questions, used.pictures, used.prompt_tokens) == (1, 2, 1)
    assert answer.choices[0].message.content == "It is red."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.model == "scripted"
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1, 1)
    (request,) = model.requests
    assert [(one.role, one.text, len(one.pictures)) for one in request.messages] == [
        (Role.SYSTEM, "Be brief.\n\nIn one sentence.", 0),
        (Role.USER, "What is it?", 2),
        (Role.ASSISTANT, "Two pictures.", 0),
        (Role.USER, "And the first?<|im_end|>", 0),
    ]
    assert (request.sampling.temperature, request.sampling.top_p) == (0.5, 0.5)
    assert (request.sampling.max_new_tokens, request.sampling.seed) == (7, 2**31 - 1)
    assert request.stop == ("\n", "END")
    assert (request.user_id, request.background) == ("api/home", False)


async def test_an_answer_streams_and_its_usage_comes_last_where_it_is_wanted(
    tmp_path: Path,
) -> None:
    model = ScriptedModel()
    model.answer = lambda _: "one two three"
    model.reason = FinishReason.LENGTH
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        pieces = [
            piece
            async for piece in await client.chat.completions.create(
                model="scripted",
                messages=[{"role": "user", "content": "Count."}],
                stream=True,
                stream_options={"include_usage": True},
            )
        ]
        plain = [
            piece
            async for piece in await client.chat.completions.create(
                model="scripted", messages=[{"role": "user", "content": "Count."}], stream=True
            )
        ]
    deltas = [piece.choices[0].delta for piece in pieces[:-1]]
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas[1:-1]] == ["one", " two", " three"]
    assert pieces[-2].choices[0].finish_reason == "length"
    assert pieces[-1].choices == []
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.total_tokens == 2
    assert len({piece.id for piece in pieces}) == 1
    assert all(piece.object == "chat.completion.chunk" for piece in pieces)
    assert [piece.usage for piece in plain] == [None] * 5


@pytest.mark.parametrize("stream", [True, False])
async def test_who_hangs_up_frees_the_model_at_once(tmp_path: Path, stream: bool) -> None:
    model = ScriptedModel()
    model.hold()
    model.answer = lambda request: "word " * 500 if len(request.messages) > 1 else "done"
    long = {"messages": [{"role": "system", "content": "Go on."}, asking("and on")]}
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
            url = f"{stage.api.base_url}/chat/completions"
            asked = asyncio.ensure_future(http.post(url, json={**long, "stream": stream}))
            await until(lambda: bool(model.requests), timeout_s=30)
            model.release(3)
            (run,) = stage.completions._running
            await until(lambda: run.spent.generated_tokens > 0, timeout_s=30)
            if stream:
                response = await asked
                await response.content.readline()
                response.close()
            else:
                asked.cancel()
        await until(lambda: not stage.completions._running, timeout_s=30)
        model.release()
        answer = await client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "next"}]
        )
        assert answer.choices[0].message.content == "done"
        assert model.steps_taken <= 3 + 1 + 1  # the words, at most one step more, "done"
        assert {key: one.questions for key, one in (await stage.used()).items()} == {
            ("home", "stopped"): 1,
            ("home", "answered"): 1,
        }
        stopped = (await stage.used())["home", "stopped"]
        assert stopped.prompt_tokens > 0
        assert stopped.generated_tokens > 0
        assert stopped.generation_s > 0


async def read(client: openai.AsyncOpenAI, asked: dict[str, Any]) -> None:
    """Read an answer to its end, streamed or not."""
    answer = await client.chat.completions.create(**asked)
    if asked["stream"]:
        async for _ in answer:
            pass


async def test_an_answer_whose_first_word_does_not_come_ends_in_time(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.hold()
    options = AnswerOptions(timeout_s=0.2)
    async with (
        scripted_api(tmp_path, model, options=options) as stage,
        stage.client() as client,
    ):
        for stream in (False, True):
            asked = {"model": "scripted", "messages": [{"role": "user", "content": "?"}]}
            with pytest.raises(openai.APIError, match="took longer"):
                await read(client, {**asked, "stream": stream})
        assert list(await stage.used()) == [("home", "failed")]
        model.release()


async def test_a_pictures_file_is_kept_no_longer_than_until_it_is_decoded(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.hold()
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        answering = asyncio.ensure_future(
            client.chat.completions.create(model="scripted", messages=[asking("?", RED, RED)])
        )
        await until(lambda: bool(model.requests), timeout_s=30)
        files = [one for one in gc.get_objects() if type(one) is PictureFile]
        assert len(files) == 2
        assert [one._data for one in files] == [None, None]
        model.release()
        await answering


@pytest.mark.parametrize(
    ("priority", "order"),
    [
        ("fair", ["api/home", "api/home", "api/lab", "chat", "api/home"]),
        ("after_chats", ["api/home", "chat", "api/home", "api/lab", "api/home"]),
    ],
)
async def test_keys_take_turns_beside_people_or_come_after_them(
    tmp_path: Path, priority: str, order: list[str]
) -> None:
    model = ScriptedModel()
    model.hold()
    async with (
        scripted_api(tmp_path, model, priority=priority) as stage,
        stage.client() as home,
        stage.client(OTHER_KEY) as lab,
    ):

        async def ask(client: openai.AsyncOpenAI) -> None:
            await client.chat.completions.create(
                model="scripted", messages=[{"role": "user", "content": "?"}]
            )

        async def chat() -> None:
            messages = (Message(role=Role.USER, text="?"),)
            request = GenerationRequest(messages=messages, sampling=Sampling(), user_id="chat")
            async with aclosing(stage.engine.stream(request)) as events:
                async for _ in events:
                    pass

        worker = stage.engine.of("scripted")._engine  # type: ignore[attr-defined]
        tasks = []
        for asked in (ask(home), ask(home), ask(home), ask(lab), chat()):
            tasks.append(asyncio.ensure_future(asked))
            await until(lambda: worker.load == len(tasks), timeout_s=30)
            # The first one runs when the others come, and they come in this order.
            await until(lambda: len(model.requests) == 1, timeout_s=30)
        model.release()
        await asyncio.gather(*tasks)
    assert [request.user_id for request in model.requests] == order


async def test_a_stream_that_fails_ends_in_an_error_and_the_next_one_is_answered(
    tmp_path: Path,
) -> None:
    model = ScriptedModel()
    model.hold()
    model.answer = lambda _: "one two three"
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        stream = await client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "?"}], stream=True
        )
        model.raises = ValueError("boom")
        model.release()
        with pytest.raises(openai.APIError, match="model failed"):
            [_ async for _ in stream]
        model.raises = None
        answer = await client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "?"}]
        )
        assert answer.choices[0].message.content == "one two three"
        assert set(await stage.used()) == {("home", "failed"), ("home", "answered")}


async def test_nothing_that_was_said_reaches_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    model = ScriptedModel()
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        for raises in (None, ValueError("SECRET-REASON")):
            model.raises = raises
            message = asking("SECRET-QUESTION", RED)
            try:
                await client.chat.completions.create(model="scripted", messages=[message])
            except openai.InternalServerError:
                assert raises is not None
        broken = {"model": "scripted", "messages": [asking("SECRET-QUESTION", b"SECRET-PICTURE")]}
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
            url = f"{stage.api.base_url}/chat/completions"
            async with http.post(url, data=json.dumps(broken)) as response:
                assert response.status == 400
    ours = [r.getMessage() for r in caplog.records if r.name.startswith(("bot", "inference"))]
    assert ours
    assert not any(word in line for line in ours for word in ("SECRET", KEY, data_address(RED)))


async def test_a_request_has_the_id_of_its_completion_in_the_log_and_is_an_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(Text())
    caplog.set_level(logging.DEBUG, "bot")
    caplog.set_level(logging.DEBUG, "inference")
    events = EVENTS.read().get(("api",), 0)
    async with scripted_api(tmp_path, ScriptedModel()) as stage, stage.client() as client:
        answer = await client.chat.completions.create(
            model="scripted", messages=[asking("secret-words", RED)]
        )
    mine = [line for line in caplog.text.splitlines() if answer.id in line]
    steps = ("the device starts", "the first text", "done: stop", "api: answered after")
    assert [step for line in mine for step in steps if step in line] == list(steps)
    assert "secret" not in caplog.text
    assert EVENTS.read()["api",] == events + 1


async def test_what_fails_here_is_counted_as_failed(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.raises = RuntimeError()
    failed = QUESTIONS.read().get(("api", "failed"), 0)
    async with scripted_api(tmp_path, model) as stage, stage.client() as client:
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="scripted", messages=[asking("What?", RED)])
        assert ("home", "failed") in await stage.used()
    assert QUESTIONS.read()["api", "failed"] == failed + 1
