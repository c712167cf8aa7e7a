"""What a GPU can do to the engine."""

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

from inference.backend import Backend
from inference.errors import EngineDead
from inference.types import Finished, GenerationRequest, Message, ModelSpec, Role, Sampling
from inference.worker import DeviceThread, Worker, running_worker
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
        said = [event async for event in events]
    assert isinstance(said[-1], Finished)
    return said[-1]


def ruin(_backend: Backend) -> None:
    """Read outside a tensor: from then on the device fails at everything."""
    places = torch.full((1,), 10**9, device="cuda")
    torch.zeros(4, device="cuda")[places]


async def ruin_in_mid_answer(device: DeviceThread) -> None:
    async with running_worker(device, max_waiting=8) as worker:
        await answer(worker)
        device.run(ruin)
        askers = [answer(worker) for _ in range(3)]
        told = await asyncio.gather(*askers, return_exceptions=True)
        assert all(isinstance(one, EngineDead) for one in told), told
        assert worker.died.is_set()
        with pytest.raises(EngineDead):
            await answer(worker)


def test_when_the_device_fails_for_good_every_asker_is_told_and_the_engine_is_dead() -> None:
    # In a process of its own: nothing on this device works in it afterwards.
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.test_faults"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "every asker was told" in done.stdout, done.stderr[-3000:]


def test_memory_that_runs_out_refuses_nobody_who_fits() -> None:
    """What the card has left is taken away before threads are read: caches give way."""
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
        asyncio.run(ruin_in_mid_answer(the_device))
        print("every asker was told", flush=True)  # noqa: T201
        os._exit(0)  # the interpreter's own end would ask the device
