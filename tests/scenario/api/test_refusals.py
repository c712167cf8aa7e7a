"""What the API refuses, as OpenAI's own client raises it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from bot.platforms.listening.guesses import FREE_FAILURES
from tests.engines import ScriptedModel
from tests.scenario.api.conftest import KEY, OTHER_KEY, Stage, asking, scripted_api
from tests.scenario.core import BLUE, RED
from tests.waiting import until

HELLO: Any = {"role": "user", "content": "Hello"}


async def ask(client: openai.AsyncOpenAI, *messages: Any, **options: Any) -> Any:
    model = options.pop("model", "scripted")
    return await client.chat.completions.create(
        model=model, messages=list(messages) or [HELLO], **options
    )


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    beside = {"other": ScriptedModel(name="another", max_pictures=1)}
    async with scripted_api(tmp_path, ScriptedModel(), beside=beside) as stage:
        yield stage


async def test_models_have_their_names_and_others_are_not_found(stage: Stage) -> None:
    async with stage.client() as client:
        assert [model.id for model in (await client.models.list()).data] == ["scripted", "other"]
        assert (await client.models.retrieve("other")).owned_by == "llava-bot"
        answer = await ask(client, model="other")
        assert answer.model == "other"
        for call in (client.models.retrieve("gpt-4o"), ask(client, model="gpt-4o")):
            with pytest.raises(openai.NotFoundError) as refused:
                await call
            assert refused.value.code == "model_not_found"
            assert refused.value.param == "model"
        with pytest.raises(openai.NotFoundError):
            await client.embeddings.create(model="scripted", input="x")


async def test_only_keys_are_let_in_and_guesses_become_slow(stage: Stage) -> None:
    for number in range(30):  # each further one has to wait longer than this machine is slow
        async with stage.client(f"sk-wrong-key-number-{number}") as client:
            with pytest.raises((openai.AuthenticationError, openai.RateLimitError)) as refused:
                await ask(client)
        if isinstance(refused.value, openai.RateLimitError):
            break
        assert refused.value.code == "invalid_api_key"
    assert number >= FREE_FAILURES
    assert int(refused.value.response.headers["Retry-After"]) >= 1
    async with aiohttp.ClientSession() as http, http.get(f"{stage.api.base_url}/models") as got:
        assert got.status == 401
        assert got.headers["WWW-Authenticate"].startswith("Bearer")
        assert got.headers["Server"] == "llava-bot"
        assert (await got.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("message", "options", "param"),
    [
        ({"role": "tool", "content": "x", "tool_call_id": "1"}, {}, "messages[0].role"),
        ({"role": ["user"], "content": "x"}, {}, "messages[0].role"),
        ({"role": {}, "content": "x", "tool_calls": []}, {}, "messages[0].role"),
        ({"role": "user", "content": " \u200b "}, {}, "messages[0].content"),
        ({"role": "assistant", "content": "Hello"}, {}, "messages"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, {}, "messages[0].content[0]"),
        (asking("?", b"no picture"), {}, "messages"),
        (asking("?", RED, BLUE, RED, BLUE), {}, "messages"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:/x"}}]},
            {},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/"}}]},
            {},
            "messages[0].content[0].image_url.url",
        ),
        (HELLO, {"n": 2}, "n"),
        (HELLO, {"temperature": 3}, "temperature"),
        (HELLO, {"stop": ["a"] * 5}, "stop"),
        (HELLO, {"max_tokens": 0}, "max_tokens"),
        (HELLO, {"response_format": {"type": "json_object"}}, "response_format"),
        ({"role": "user", "content": "word " * 300}, {}, "messages"),
    ],
)
async def test_a_bad_request_names_the_field_that_is_wrong(
    stage: Stage, message: Any, options: dict[str, Any], param: str
) -> None:
    async with stage.client() as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(client, message, **options)
        assert refused.value.param == param
        japanese = {"Accept-Language": "ja"}
        with pytest.raises(openai.BadRequestError) as said:
            await ask(client, message, **options, extra_headers=japanese)
        assert said.value.message != refused.value.message


async def test_unknown_fields_are_ignored_and_bodies_that_are_no_requests_refused(
    stage: Stage,
) -> None:
    url, headers = f"{stage.api.base_url}/chat/completions", {"Authorization": f"Bearer {KEY}"}
    body = {"messages": [HELLO], "frequency_penalty": 1, "keep_alive": "5m", "tools": [], "n": 1}
    nested = "[" * 100_000
    async with aiohttp.ClientSession(headers=headers) as http:
        for data, status in (
            (json.dumps(body), 200),
            ("[]", 400),
            ("{", 400),
            (f'{{"messages": {nested}', 400),
            (json.dumps({"messages": [HELLO], "x": "y" * 2_000_001}), 413),
        ):
            async with http.post(url, data=io.BytesIO(data.encode())) as response:
                assert response.status == status, data[:30]
        async with http.post(url, data=b"", headers={"Content-Encoding": "gzip"}) as response:
            assert response.status == 415


async def test_a_key_has_so_many_requests_at_once_and_another_its_own(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.hold()
    async with (
        scripted_api(tmp_path, model, keys_at_once=1) as stage,
        stage.client() as home,
        stage.client(OTHER_KEY) as lab,
    ):
        first = asyncio.ensure_future(ask(home))
        await until(lambda: len(model.requests) == 1, timeout_s=30)
        with pytest.raises(openai.RateLimitError) as refused:
            await ask(home)
        assert refused.value.code == "rate_limit_exceeded"
        assert refused.value.response.headers["Retry-After"] == "1"
        second = asyncio.ensure_future(ask(lab))
        model.release()
        await asyncio.gather(first, second)
        await ask(home)


async def test_a_day_is_counted_in_the_store_and_outlives_a_restart(tmp_path: Path) -> None:
    for sent in (2, 1):
        async with (
            scripted_api(tmp_path, ScriptedModel(), keys_per_day=3) as stage,
            stage.client() as client,
        ):
            for _ in range(sent):
                await ask(client)
    async with (
        scripted_api(tmp_path, ScriptedModel(), keys_per_day=3) as stage,
        stage.client() as client,
        stage.client(OTHER_KEY) as other,
    ):
        with pytest.raises(openai.RateLimitError) as refused:
            await ask(client)
        assert 0 < int(refused.value.response.headers["Retry-After"]) <= 86_400
        await ask(other)


async def test_too_many_that_wait_are_told_to_come_back(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.hold()
    async with (
        scripted_api(tmp_path, model, max_waiting=0) as stage,
        stage.client() as client,
    ):
        first = asyncio.ensure_future(ask(client))
        await until(lambda: len(model.requests) == 1, timeout_s=30)
        with pytest.raises(openai.InternalServerError) as refused:
            await ask(client, stream=True)
        assert refused.value.status_code == 503
        assert "Retry-After" in refused.value.response.headers
        model.release()
        await first
        await stage.completions.drain(30)
        with pytest.raises(openai.InternalServerError):
            await ask(client)
