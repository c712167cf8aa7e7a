"""Two GPUs, each with its own engine."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
import torch

from inference.errors import EngineDead
from inference.serving.backend import Backend
from inference.serving.fleet import Devices, Fleet, running_engine
from inference.types import Finished, GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.gpu.small_models import small_backend, small_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no two CUDA devices here"),
]


def load(cache_dir: Path, device: str) -> Backend:
    spec = ModelSpec(name="small", device=device, quantize="nf4", cache_tokens=20_000)
    return small_backend(*small_model(spec), spec, cache_dir)


def asking(text: str, thread: str) -> GenerationRequest:
    question = Message(role=Role.USER, text=text)
    sampling = Sampling(temperature=0.0, max_new_tokens=40)
    return GenerationRequest(messages=(question,), sampling=sampling, thread=thread)


async def answer(fleet: Fleet, text: str, thread: str) -> Finished:
    async with aclosing(fleet.stream(asking(text, thread))) as events:
        last = [event async for event in events][-1]
    assert isinstance(last, Finished)
    return last


async def test_both_gpus_answer_threads_and_one_goes_on_when_the_other_fails(
    tmp_path: Path,
) -> None:
    devices = Devices([partial(load, tmp_path, f"cuda:{index}") for index in range(2)])
    devices.start()
    try:
        for device in devices.threads:
            await asyncio.to_thread(device.check_loaded)
        async with running_engine(devices.threads, max_waiting=8) as fleet:
            assert isinstance(fleet, Fleet)
            assert [worker.model.device for worker in fleet._workers] == ["cuda:0", "cuda:1"]
            await asyncio.gather(*(answer(fleet, f"thread {i}", f"{i}") for i in range(8)))
            homes = {worker.model.device for worker in fleet._homes.values()}
            assert homes == {"cuda:0", "cuda:1"}
            text = "the very same question, long enough to fill a page of the cache"
            for index in range(2):
                thread = next(n for n, w in fleet._homes.items() if w is fleet._workers[index])
                await answer(fleet, text, thread)
                assert (await answer(fleet, text, thread)).cached_tokens > 0
            first = fleet._workers[0]
            first._die(EngineDead("the device failed"))
            for i in range(4):
                assert (await answer(fleet, f"again {i}", f"{i}")).new_tokens > 0
            assert not fleet.died.is_set()
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)
