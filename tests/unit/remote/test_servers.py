"""Servers of one model that differ: in kind, in context, in what they tell of themselves."""

from __future__ import annotations

import pytest

from inference.errors import ModelUnavailable, ServerFailed
from tests.servers.openai.server import Script, running_openai
from tests.unit.remote.conftest import answer_of, connected, request
from tests.waiting import until


async def test_a_gateway_that_lists_no_models_is_asked_for_the_one_that_is_configured() -> None:
    async with (
        running_openai(Script(lists_models=False)) as server,
        connected(server) as engine,
    ):
        assert engine.model.name == "tiny"
        assert (await answer_of(engine, request()))[0] == "A red square."
        assert engine.model.device == "OpenAI-compatible"
        server.script.status = 502
        with pytest.raises(ServerFailed):
            await answer_of(engine, request())
        server.script.status = 200
        await until(lambda: bool(engine._servers.well), timeout_s=30)  # it is back without a list
        assert (await answer_of(engine, request()))[0] == "A red square."


async def test_without_a_list_the_model_has_to_be_named() -> None:
    async with running_openai(Script(lists_models=False)) as server:
        with pytest.raises(ModelUnavailable, match="There is no OpenAI-compatible API"):
            async with connected(server, model=""):
                raise AssertionError


async def test_servers_of_different_kinds_are_each_asked_in_their_own_way() -> None:
    script = Script(owned_by="library", context=1024, max_pictures=2)
    async with (
        running_openai() as vllm,
        running_openai(script) as ollama,
        connected(vllm, ollama) as engine,
    ):
        assert engine.model.device == "2 × vLLM + Ollama"
        assert (engine.model.context_tokens, engine.model.max_pictures) == (1024, 2)
        for number in range(12):
            await answer_of(engine, request(thread=f"thread {number}"))
        assert vllm.asked
        assert ollama.asked
        assert all("chat_template_kwargs" in body for body in vllm.asked)
        assert not any("chat_template_kwargs" in body for body in ollama.asked)
        await engine.clear_caches()
        assert (vllm.cleared, ollama.cleared) == (1, 0)


async def test_a_server_that_comes_later_is_asked_in_its_own_way_too() -> None:
    late = Script(owned_by="library", context=1024, is_up=False)
    async with (
        running_openai() as vllm,
        running_openai(late) as ollama,
        connected(vllm, ollama) as engine,
    ):
        assert engine.model.context_tokens == 2048
        late.is_up = True
        await until(lambda: len(engine._servers.well) == 2, timeout_s=30)
        assert engine.model.context_tokens == 1024
        vllm.script.status = 502
        await answer_of(engine, request())
        assert "chat_template_kwargs" not in ollama.asked[-1]


async def test_an_answer_that_was_cut_goes_on_only_at_a_server_that_can() -> None:
    async with (
        running_openai(Script(cut_after=2)) as vllm,
        running_openai(Script(owned_by="library")) as ollama,
        connected(vllm, ollama) as engine,
    ):
        threads = (request(thread=f"thread {number}") for number in range(50))
        asked = next(
            one for one in threads if engine._servers.candidates(one.thread)[0].kind.continues
        )
        with pytest.raises(ServerFailed):
            await answer_of(engine, asked)
        assert ollama.asked == []
