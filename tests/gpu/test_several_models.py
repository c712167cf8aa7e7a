"""Two models share one GPU: each answers as it does alone, and what is left is shared."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
import torch

from inference.backends.load_beside import ModelsOfOneDevice
from inference.bench.workloads import picture_of
from inference.progress import StreamProgress
from inference.serving.backend import Backend
from inference.serving.fleet import Devices
from inference.serving.starting import StartingEngine, starting_engine
from inference.types import (
    GenerationRequest,
    Message,
    ModelInfo,
    ModelSpec,
    Role,
    Sampling,
    TextDelta,
)
from tests.gpu.random_engine import random_model_of
from tests.gpu.test_families import checkpoint_of

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

NAMES = ("a", "b")
Load = Callable[[], Backend]


def loads_of(specs: Sequence[ModelSpec], cache_dir: Path) -> list[Load]:
    progress = StreamProgress(io.StringIO())
    models = ModelsOfOneDevice(specs, cache_dir=cache_dir, progress=progress)
    return [partial(models.load, index) for index in range(len(specs))]


def asking(number: int) -> GenerationRequest:
    words = f"What is number {number}, and what is left of it?"
    question = Message(role=Role.USER, text=words, pictures=(picture_of(number, (120, 90)),))
    sampling = Sampling(temperature=0.0, max_new_tokens=32, ignore_eos=True)
    return GenerationRequest(messages=(question,), sampling=sampling)


async def answer(engine: StartingEngine, name: str, number: int) -> str:
    async with aclosing(engine.of(name).stream(asking(number))) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def answered(
    loads: Sequence[Load], names: Sequence[str], questions: int = 1
) -> tuple[list[str], list[ModelInfo]]:
    """Ask each model so many questions, all at once. Returns: answers, and the models."""
    devices = Devices(
        loads[:1],
        name=names[0],
        beside={name: [load] for name, load in zip(names[1:], loads[1:], strict=True)},
    )
    devices.start()
    try:
        async with starting_engine(devices, max_waiting=2 * questions) as engine:
            models = [await engine.of(name).loaded() for name in names]
            asked = [answer(engine, name, i) for name in names for i in range(questions)]
            return await asyncio.gather(*asked), models
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)


@pytest.mark.parametrize("families", [("qwen2.5-vl", "qwen3-vl"), ("internvl3.5", "qwen3-vl")])
async def test_each_answers_as_it_does_alone(families: tuple[str, str], tmp_path: Path) -> None:
    specs = []
    for name, family in zip(NAMES, families, strict=True):
        (tmp_path / name).mkdir()
        path = str(checkpoint_of(family, tmp_path / name))
        specs.append(ModelSpec(name=path, context_tokens=1024, cache_tokens=8192))
    alone = []
    for spec in specs:
        alone += (await answered(loads_of([spec], tmp_path), NAMES[:1]))[0]
    together, _ = await answered(loads_of(specs, tmp_path), NAMES)
    assert together == alone
    assert alone[0] != alone[1]


async def test_two_real_shapes_in_different_bits_answer_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "inference.backends.load.load_weights", lambda spec, **_: random_model_of(spec)
    )
    specs = [
        ModelSpec(name="Qwen/Qwen3-VL-4B-Instruct", quantize="nf4", context_tokens=4096),
        ModelSpec(name="HuggingFaceTB/SmolVLM2-2.2B-Instruct", context_tokens=4096),
    ]
    answers, models = await answered(loads_of(specs, tmp_path), NAMES, questions=6)
    assert all(answers)
    assert [model.engine for model in models] == ["fast", "fast"]
    assert all((model.cache_tokens or 0) >= 4096 for model in models)
