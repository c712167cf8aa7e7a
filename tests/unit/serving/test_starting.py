"""An engine before its model is loaded."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from inference.errors import ModelUnavailable, QueueFull
from inference.progress import LoadProgress, Phase
from inference.serving.fleet import Devices
from inference.serving.starting import StartingEngine
from inference.types import GenerationRequest, Message, Role, Sampling, TextDelta
from tests.engines import HeldLoad, ScriptedModel, running_held
from tests.waiting import until


def question(text: str) -> Message:
    return Message(role=Role.USER, text=text)


async def answer(engine: StartingEngine, text: str) -> str:
    request = GenerationRequest(messages=(question(text),), sampling=Sampling())
    async with aclosing(engine.stream(request)) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def test_requests_wait_for_the_model_and_are_answered_in_order() -> None:
    model = ScriptedModel()
    load = HeldLoad(model)
    async with running_held(load, max_waiting=4) as engine:
        before = engine.model
        assert before is None
        await engine.clear_caches()  # there are none, and nothing waits
        asked = [asyncio.create_task(answer(engine, name)) for name in "abc"]
        load.report(LoadProgress(phase=Phase.LOADING, done_bytes=1, total_bytes=2))
        await until(lambda: load.state.latest.done_bytes == 1)
        shown = engine.load_progress
        assert shown == load.state.latest
        assert not any(task.done() for task in asked)
        load.finish()
        assert await asyncio.gather(*asked) == ["answer to a", "answer to b", "answer to c"]
        assert [request.messages[0].text for request in model.requests] == ["a", "b", "c"]
        assert engine.model == model.model
        assert engine.load_progress is None
        assert await engine.prompt_tokens((question("two words"),)) == 2


async def test_only_so_many_requests_wait_for_the_model() -> None:
    load = HeldLoad(ScriptedModel())
    async with running_held(load, max_waiting=2) as engine:
        waiting = [asyncio.create_task(engine.admitted()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await engine.admitted()
        waiting.pop().cancel()  # who leaves makes room
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(engine.admitted()))
        load.finish()
        assert {info.name for info in await asyncio.gather(*waiting)} == {"scripted"}
        assert (await engine.admitted()).name == "scripted"


async def test_when_the_load_fails_everybody_who_waits_hears_the_sentence() -> None:
    load = HeldLoad(ScriptedModel())
    async with running_held(load, max_waiting=4) as engine:
        waiting = asyncio.create_task(engine.loaded())
        load.fail("It does not fit the card.")
        for wait in (waiting, engine.admitted()):
            with pytest.raises(ModelUnavailable, match="does not fit"):
                await wait
        assert engine.model is None


async def test_an_exit_during_the_load_cancels_it() -> None:
    load = HeldLoad(ScriptedModel())
    devices = Devices([load, load], load.state)
    devices.start()
    await asyncio.to_thread(devices.__exit__, None, None, None)
    for thread in devices.threads:
        with pytest.raises(ModelUnavailable, match="has been stopped"):
            thread.check_loaded()


async def test_devices_that_were_never_started_are_left_without_waiting() -> None:
    with Devices([HeldLoad(ScriptedModel())]):
        pass


async def test_devices_load_one_after_the_other_and_stop_at_the_first_failure() -> None:
    first, second = HeldLoad(ScriptedModel()), HeldLoad(ScriptedModel())
    devices = Devices([first, second])
    devices.start()
    second.report(LoadProgress(phase=Phase.LOADING))
    first.fail("No room.")
    with pytest.raises(ModelUnavailable, match="No room"):
        await asyncio.to_thread(devices.threads[1].check_loaded)
    assert second.state.latest.phase is Phase.STARTING
    await asyncio.to_thread(devices.__exit__, None, None, None)
