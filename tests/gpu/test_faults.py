"""GPU failures that the engine survives, or reports."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path

import pytest
import torch

from inference.errors import EngineDead
from inference.serving.backend import Backend
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import Worker, running_worker
from inference.types import Finished, GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.gpu.small_models import small_backend, small_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

ROOT = Path(__file__).parents[2]


def load() -> Backend:
    spec = ModelSpec(name="small", device="cuda", cache_tokens=20_000)
    return small_backend(*small_model(spec), spec, Path(tempfile.mkdtemp()))


async def answer(worker: Worker) -> Finished:
    question = Message(role=Role.USER, text="hello")
    request = GenerationRequest(messages=(question,), sampling=Sampling(max_new_tokens=30))
    async with aclosing(worker.stream(request)) as events:
        received = [event async for event in events]
    assert isinstance(received[-1], Finished)
    return received[-1]


def break_device(_backend: Backend) -> None:
    """Read out of bounds: from then on every operation on the device fails."""
    indices = torch.full((1,), 10**9, device="cuda")
    torch.zeros(4, device="cuda")[indices]


async def break_device_mid_answer(device: DeviceThread) -> None:
    async with running_worker(device, max_waiting=8) as worker:
        await answer(worker)
        device.submit(break_device)
        answers = [answer(worker) for _ in range(3)]
        errors = await asyncio.gather(*answers, return_exceptions=True)
        assert all(isinstance(one, EngineDead) for one in errors), errors
        assert worker.died.is_set()
        with pytest.raises(EngineDead):
            await answer(worker)


def test_when_the_device_fails_for_good_every_request_fails_and_the_engine_is_dead() -> None:
    # In a process of its own: afterwards nothing on this device works in that process.
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.test_faults"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "every request failed" in done.stdout, done.stderr[-3000:]


def test_short_memory_refuses_no_request_that_fits() -> None:
    """Take the card's remaining memory before the prefills: caches must shrink."""
    spare: list[torch.Tensor] = []
    try:
        with DeviceThread(load) as device:

            async def ask_while_memory_is_short() -> None:
                async with running_worker(device, max_waiting=8) as worker:
                    free, _ = torch.cuda.mem_get_info()
                    spare.append(torch.empty(free - (64 << 20), dtype=torch.uint8, device="cuda"))
                    finished = await asyncio.gather(*(answer(worker) for _ in range(6)))
                    assert all(one.new_tokens > 0 for one in finished)

            asyncio.run(ask_while_memory_is_short())
    finally:
        spare.clear()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    with DeviceThread(load) as the_device:
        asyncio.run(break_device_mid_answer(the_device))
        print("every request failed", flush=True)  # noqa: T201
        os._exit(0)  # a normal exit of the interpreter would use the device
