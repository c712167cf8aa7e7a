"""Several devices: a thread stays on the one with its cache; if one fails, the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial

import pytest

from inference.backends.sequential import SequentialBackend
from inference.errors import EngineDead, GenerationFailed
from inference.serving.fleet import Devices, Fleet, running_engine
from inference.types import GenerationRequest, Message, Role, Sampling, TextDelta
from tests.engines import ScriptedModel
from tests.waiting import until


@asynccontextmanager
async def running(*generators: ScriptedModel, max_waiting: int = 4) -> AsyncIterator[Fleet]:
    devices = Devices([partial(SequentialBackend, generator) for generator in generators])
    devices.start()
    try:
        for thread in devices.threads:
            await asyncio.to_thread(thread.check_loaded)
        async with running_engine(devices.threads, max_waiting=max_waiting) as engine:
            assert isinstance(engine, Fleet)
            yield engine
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)


def asking(text: str, thread: str = "") -> GenerationRequest:
    question = Message(role=Role.USER, text=text)
    return GenerationRequest(messages=(question,), sampling=Sampling(), thread=thread)


async def answer(fleet: Fleet, text: str, thread: str = "") -> str:
    async with aclosing(fleet.stream(asking(text, thread))) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def test_a_thread_stays_on_the_device_that_holds_its_cache() -> None:
    first, second = ScriptedModel(), ScriptedModel()
    async with running(first, second) as fleet:
        first.hold()
        second.hold()
        a, b = (asyncio.create_task(answer(fleet, name, thread=name)) for name in "ab")
        await until(lambda: len(first.requests) == len(second.requests) == 1)
        first.release()
        second.release()
        await asyncio.gather(a, b)
        for _ in range(3):  # an idle fleet sends any other thread to the first
            await answer(fleet, "b again", thread="b")
        assert len(first.requests) == 1
        assert len(second.requests) == 4


async def test_new_threads_go_to_the_least_loaded_device() -> None:
    first, second = ScriptedModel(), ScriptedModel()
    async with running(first, second) as fleet:
        first.hold()
        held = asyncio.create_task(answer(fleet, "long", thread="x"))
        await until(lambda: len(first.requests) == 1)
        for i in range(3):
            await answer(fleet, f"{i}", thread=f"t{i}")
        assert len(second.requests) == 3
        first.release()
        await held


async def test_a_device_that_fails_before_the_first_text_is_replaced_by_another() -> None:
    first, second = ScriptedModel(), ScriptedModel()
    first.raises = EngineDead("the device failed")
    async with running(first, second) as fleet:
        assert await answer(fleet, "one", thread="a") == "answer to one"
        assert await answer(fleet, "two", thread="a") == "answer to two"
        assert not fleet.died.is_set()
        assert len(first.requests) == 1


async def test_a_device_that_fails_in_the_middle_of_an_answer_loses_only_that_answer() -> None:
    first, second = ScriptedModel(), ScriptedModel()
    async with running(first, second) as fleet:
        first.hold()
        stream = fleet.stream(asking("one two", thread="a"))
        async with aclosing(stream) as events:
            await anext(events)
            first.release(1)
            assert isinstance(await anext(events), TextDelta)
            first.raises = EngineDead("the device failed")
            first.release(1)
            with pytest.raises(GenerationFailed):
                await anext(events)
        assert await answer(fleet, "next", thread="a") == "answer to next"


async def test_prompt_tokens_are_counted_on_a_device_that_works(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ScriptedModel(), ScriptedModel()
    async with running(first, second) as fleet:
        question = (Message(role=Role.USER, text="three secret words"),)

        words = "CUDA error, secret words"

        def broken(_messages: object) -> int:
            raise RuntimeError(words)

        monkeypatch.setattr(first, "prompt_tokens", broken)
        assert await fleet.prompt_tokens(question) == 3
        assert "RuntimeError" in caplog.text
        assert "secret" not in caplog.text
        fleet._workers[0]._die(EngineDead("the device failed"))
        monkeypatch.setattr("inference.serving.fleet.log", None)  # the dead device is not asked
        assert await fleet.prompt_tokens(question) == 3


async def test_the_number_of_remembered_threads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.serving.fleet.MAX_HOMES", 3)
    async with running(ScriptedModel(), ScriptedModel()) as fleet:
        for i in range(6):
            await answer(fleet, "hello", thread=f"{i}")
        assert sorted(fleet._homes) == ["3", "4", "5"]


async def test_when_the_last_device_fails_the_process_must_restart() -> None:
    generators = [ScriptedModel(), ScriptedModel()]
    for generator in generators:
        generator.raises = EngineDead("the device failed")
    async with running(*generators) as fleet:
        with pytest.raises(EngineDead):
            await answer(fleet, "one")
        await asyncio.wait_for(fleet.died.wait(), 30)


async def test_a_thread_moves_to_another_device_when_its_own_is_full() -> None:
    first, second = ScriptedModel(), ScriptedModel()
    async with running(first, second, max_waiting=0) as fleet:
        await answer(fleet, "one", thread="a")
        first.hold()
        held = asyncio.create_task(answer(fleet, "two", thread="a"))
        await until(lambda: len(first.requests) == 2)
        assert await answer(fleet, "three", thread="a") == "answer to three"
        assert len(second.requests) == 1
        first.release()
        await held
