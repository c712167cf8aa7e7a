"""Chat completions of a real engine, on a tiny random model."""

from __future__ import annotations

import asyncio

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from inference.types import Message, Role
from tests.scenario.api.conftest import Stage, asking
from tests.scenario.core import BLUE, RED


async def name_of_model(client: AsyncOpenAI) -> str:
    (model,) = (await client.models.list()).data
    assert "/" not in model.id
    return model.id


async def ask(client: AsyncOpenAI, *messages: object, **options: object) -> ChatCompletion:
    chosen = {"max_tokens": 24, "temperature": 1.5, "seed": 7, **options}
    return await client.chat.completions.create(  # type: ignore[no-any-return,call-overload]
        model=await name_of_model(client), messages=list(messages), **chosen
    )


def text_of(answer: ChatCompletion) -> str:
    return answer.choices[0].message.content or ""


async def test_a_seed_repeats_an_answer_and_a_stop_cuts_it_in_a_stream_too(real: Stage) -> None:
    async with real.client() as client:
        question = asking("What is it?", RED, BLUE)
        first = await ask(client, question)
        again, other = await asyncio.gather(ask(client, question), ask(client, question, seed=8))
        text = text_of(first)
        assert len(text) > 8
        assert text_of(again) == text != text_of(other)
        assert first.usage is not None
        assert again.usage is not None
        assert first.choices[0].finish_reason == "length"
        assert first.usage.completion_tokens == 24
        assert again.usage.prompt_tokens == first.usage.prompt_tokens
        assert again.usage.prompt_tokens_details is not None
        assert (again.usage.prompt_tokens_details.cached_tokens or 0) > 0

        # Of whole characters: pieces of one are held back until it is known to be none.
        parts = (text[at : at + 3] for at in range(3, len(text) - 3))
        stop = next(part for part in parts if "\ufffd" not in part)
        cut = await ask(client, question, stop=[stop, "never said"])
        assert text_of(cut) == text[: text.index(stop)]
        assert cut.choices[0].finish_reason == "stop"
        assert cut.usage is not None
        assert 0 < cut.usage.completion_tokens < 24

        stream = await client.chat.completions.create(
            model=await name_of_model(client),
            messages=[question],
            max_tokens=24,
            temperature=1.5,
            seed=7,
            stop=stop,
            stream=True,
            stream_options={"include_usage": True},
        )
        pieces = [piece async for piece in stream]
        said = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
        assert said == text_of(cut)
        assert pieces[-1].usage is not None
        assert pieces[-1].usage.completion_tokens == cut.usage.completion_tokens


async def test_the_context_counts_pictures_and_words(real: Stage) -> None:
    async with real.client() as client:
        plain = await ask(client, asking("What is it?"), max_tokens=1)
        seen = await ask(client, asking("What is it?", RED), max_tokens=1)
        assert plain.usage is not None
        assert seen.usage is not None
        assert seen.usage.prompt_tokens > plain.usage.prompt_tokens + 4
        model = real.engine.model
        assert model is not None
        assert plain.usage.prompt_tokens == await real.engine.prompt_tokens(
            (Message(role=Role.USER, text="What is it?"),)
        )
