"""The remote engine with real servers: what the local one claims of them is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeAlias

import pytest

from inference.errors import ContextExceeded, ModelUnavailable
from inference.remote.connecting import RemoteModel
from inference.remote.engine import RemoteEngine
from inference.remote.options import ServerOptions
from inference.serving.load_state import LoadState
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelSpec,
    Role,
    Sampling,
    TextDelta,
)
from tests.pictures import plain_picture
from tests.real_servers.process import CONTEXT_TOKENS, ServerProcess

Colour: TypeAlias = tuple[int, int, int]

RED, WHITE = (200, 30, 30), (255, 255, 255)
COLOURS: tuple[Colour, ...] = (RED, WHITE, (0, 0, 0), (20, 60, 230))


@asynccontextmanager
async def connected(*servers: ServerProcess, model: str = "tiny") -> AsyncIterator[RemoteEngine]:
    name = f"openai:{','.join(server.address for server in servers)}#{model}"
    options = ServerOptions(probe_every_s=0.2, answer_s=60, first_token_s=120)
    remote = RemoteModel(spec=ModelSpec(name=name), options=options, patience_s=60)
    async with remote.running(LoadState(), max_waiting=64) as engine:
        yield engine


def request(
    text: str = "What is this?",
    *,
    colour: Colour | None = RED,
    thread: str = "thread",
    max_new_tokens: int = 24,
    ignore_eos: bool = True,
    temperature: float = 0,
) -> GenerationRequest:
    pictures = () if colour is None else (plain_picture(colour),)
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=text, pictures=pictures),),
        sampling=Sampling(
            temperature=temperature, max_new_tokens=max_new_tokens, ignore_eos=ignore_eos
        ),
        thread=thread,
    )


async def answer(engine: RemoteEngine, asked: GenerationRequest) -> tuple[list[str], Finished]:
    texts, finished = [], None
    async with aclosing(engine.stream(asked)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                texts.append(event.text)
            elif isinstance(event, Finished):
                finished = event
    assert finished is not None
    return texts, finished


async def test_a_picture_goes_in_and_words_stream_out(server: ServerProcess) -> None:
    async with connected(server) as engine:
        model = engine.model
        assert model.device == server.program
        assert (model.context_tokens, model.max_pictures) == (CONTEXT_TOKENS, server.max_pictures)
        texts, finished = await answer(engine, request())
        # Its estimate of the same prompt: text as it counts it, a picture as the probe's was.
        counted = await engine.prompt_tokens(request().messages)
    assert len(texts) > 1
    assert finished.new_tokens == 24
    assert finished.reason is FinishReason.LENGTH
    assert abs(finished.prompt_tokens - counted) < 16


async def test_the_model_sees_the_picture(server: ServerProcess) -> None:
    async with connected(server) as engine:
        answers = {
            colour: "".join((await answer(engine, request(colour=colour)))[0])
            for colour in (None, *COLOURS)
        }
        again = "".join((await answer(engine, request(colour=RED)))[0])
    assert answers[RED] == again
    # With random weights, two pictures may happen to be answered alike; all of them do not.
    assert len({answers[colour] for colour in COLOURS}) > 1
    assert answers[None] != answers[RED]


async def test_a_stop_halts_generation_there(server: ServerProcess) -> None:
    async with connected(server) as engine:
        asked = request(max_new_tokens=1900, temperature=1)
        async with aclosing(engine.stream(asked)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
            await server.until(server.running, 1)
        await server.until(server.running, 0)


async def test_fifty_at_once_are_all_answered(server: ServerProcess) -> None:
    async with connected(server) as engine:
        asked = [request(str(number), thread=str(number)) for number in range(50)]
        answers = await asyncio.gather(*(answer(engine, one) for one in asked))
    assert {finished.new_tokens for _, finished in answers} == {24}


async def test_a_prompt_that_is_too_long_is_refused_and_one_that_nearly_is_gets_less_room(
    server: ServerProcess,
) -> None:
    async with connected(server) as engine:
        with pytest.raises(ContextExceeded) as refused:
            await answer(engine, request("word " * 2000, colour=None))
        assert refused.value.context_tokens == CONTEXT_TOKENS
        _, finished = await answer(engine, request("word " * 370, colour=None, max_new_tokens=512))
    assert finished.new_tokens < 512
    assert finished.prompt_tokens + finished.new_tokens <= CONTEXT_TOKENS


async def test_a_wrong_model_and_a_server_that_is_not_there_are_told_at_the_start(
    server: ServerProcess,
) -> None:
    with pytest.raises(ModelUnavailable, match=r"no model 'tinny'. Did you mean tiny\?"):
        async with connected(server, model="tinny"):
            raise AssertionError
    name = "openai:http://127.0.0.1:9/v1#tiny"
    nowhere = RemoteModel(spec=ModelSpec(name=name), patience_s=0)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        async with nowhere.running(LoadState(), max_waiting=1):
            raise AssertionError


async def test_an_answer_whose_server_is_killed_goes_on_at_the_other(
    servers: list[ServerProcess],
) -> None:
    async with connected(*servers) as engine:
        killed: ServerProcess | None = None
        texts: list[str] = []
        finished = None
        asked = request(max_new_tokens=1500, temperature=1)
        async with aclosing(engine.stream(asked)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    texts.append(event.text)
                    if len(texts) == 20:
                        [killed] = [
                            one
                            for one in servers
                            if await asyncio.to_thread(one.figure, one.running)
                        ]
                        await asyncio.to_thread(killed.kill)
                elif isinstance(event, Finished):
                    finished = event
        assert killed is not None
        assert finished is not None
        assert finished.new_tokens > 20
        [alive] = [one for one in servers if one is not killed]
        assert await asyncio.to_thread(alive.figure, alive.generated) > 0
        # The next question of the thread is answered, too.
        _, finished = await answer(engine, request())
        assert finished.new_tokens == 24
