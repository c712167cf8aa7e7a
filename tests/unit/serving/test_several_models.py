"""Several models share a device: all are loaded, and their steps take turns."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from inference.backends.load import load_model
from inference.backends.load_beside import ModelsOfOneDevice
from inference.errors import EngineDead, ModelUnavailable
from inference.progress import StreamProgress
from inference.serving.fleet import Devices
from inference.serving.starting import StartingEngine, starting_engine
from inference.types import (
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    ModelSpec,
    Role,
    Sampling,
    TextDelta,
)
from tests.engines import HeldLoad, ScriptedModel, running_models
from tests.pictures import plain_picture
from tests.tiny_models.llava import llava_1_5
from tests.tiny_models.qwen_vl import qwen3_vl


def asking(text: str, tokens: int = 24) -> GenerationRequest:
    picture = plain_picture((200, 30, 30))
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=text, pictures=(picture,)),),
        sampling=Sampling(temperature=0, max_new_tokens=tokens, ignore_eos=True),
    )


async def test_each_answers_as_it_does_alone_and_their_steps_take_turns(tmp_path: Path) -> None:
    progress = StreamProgress(io.StringIO())
    paths = {"a": llava_1_5(tmp_path / "a"), "b": qwen3_vl(tmp_path / "b")}
    specs = [ModelSpec(name=str(path), context_tokens=1024) for path in paths.values()]
    models = ModelsOfOneDevice(specs, cache_dir=tmp_path, progress=progress)
    loads = [partial(models.load, index) for index in range(2)]
    order: list[str] = []

    async def answer(engine: StartingEngine, name: str) -> str:
        text = ""
        async with aclosing(engine.of(name).stream(asking("what is it?"))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    order.append(name)
                    text += event.text
        return text

    async def run(devices: Devices, *names: str) -> list[str]:
        devices.start()
        try:
            async with starting_engine(devices, max_waiting=4) as engine:
                await engine.loaded()
                answers = await asyncio.gather(*(answer(engine, name) for name in names))
                await engine.clear_caches()
                return answers
        finally:
            await asyncio.to_thread(devices.__exit__, None, None, None)

    together = await run(Devices(loads[:1], name="a", beside={"b": loads[1:]}), "a", "b")
    both = "".join(order)
    assert "ab" * 4 in both or "ba" * 4 in both, both
    alone = []
    for spec in specs:
        load = partial(load_model, spec, cache_dir=tmp_path, progress=progress)
        alone += await run(Devices([load]), "")
    assert together == alone
    assert alone[0] != alone[1]


async def test_what_the_weights_leave_is_shared_by_the_caches_that_are_still_to_come(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[tuple[str, str, float]] = []

    def load_weights(spec: ModelSpec, **_: object) -> str:
        done.append(("weights", spec.name, 0))
        return spec.name

    def warmed_up(loaded: str, spec: ModelSpec, **_: object) -> None:
        done.append(("cache", loaded, spec.cache_share))

    monkeypatch.setattr("inference.backends.load.load_weights", load_weights)
    monkeypatch.setattr("inference.backends.load.warmed_up", warmed_up)
    specs = [ModelSpec(name=name) for name in "abc"]
    progress = StreamProgress(io.StringIO())
    models = ModelsOfOneDevice(specs, cache_dir=tmp_path, progress=progress)
    for index in range(3):
        models.load(index)
    assert done == [
        *(("weights", name, 0) for name in "abc"),
        ("cache", "a", 1 / 3), ("cache", "b", 1 / 2), ("cache", "c", 1),
    ]  # fmt: skip


async def test_a_name_that_no_model_has_is_the_firsts() -> None:
    first, second = ScriptedModel(name="x"), ScriptedModel(name="y")
    async with running_models({"a": first, "b": second}, max_waiting=4) as engine:
        assert engine.names == ("a", "b")
        models: list[ModelInfo | None] = [engine.of(name).model for name in ("a", "b", "c", "")]
        assert [model and model.name for model in models] == ["x", "y", "x", "x"]


@pytest.mark.parametrize("failing", [0, 1])
async def test_if_one_cannot_be_loaded_all_waits_end_with_its_sentence(failing: int) -> None:
    loads = [HeldLoad(ScriptedModel()) for _ in range(2)]
    devices = Devices(loads[:1], loads[0].state, name="a", beside={"b": loads[1:]})
    devices.start()
    try:
        async with starting_engine(devices, max_waiting=4) as engine:
            waiting = [asyncio.create_task(engine.of(name).loaded()) for name in ("a", "b")]
            for load in loads[:failing]:
                load.finish()
            loads[failing].fail("It cannot.")
            for task in waiting:
                with pytest.raises(ModelUnavailable, match="It cannot"):
                    await task
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)


async def _read_to_the_end(events: AsyncGenerator[GenerationEvent, None]) -> None:
    async for _ in events:
        pass


async def test_if_the_engine_of_one_dies_the_process_is_told() -> None:
    second = ScriptedModel()
    second.raises = EngineDead("gone")
    async with running_models({"a": ScriptedModel(), "b": second}, max_waiting=4) as engine:
        async with aclosing(engine.of("b").stream(asking("what?"))) as events:
            with pytest.raises(EngineDead):
                await asyncio.wait_for(_read_to_the_end(events), 30)
        await asyncio.wait_for(engine.died.wait(), 30)
