"""vLLM's own serving benchmark as a client of the bot's API."""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

import pytest

from bot.values.messages import Outcome
from inference.engine import Engines
from inference.serving.backend import Backend
from inference.serving.fleet import Devices
from inference.serving.starting import starting_engine
from tests.scenario.api.conftest import KEY, Stage, running_api, tiny
from tests.scenario.conftest import talkative
from tests.vllm.server import VllmServer

__all__ = ["talkative", "tiny"]

pytestmark = pytest.mark.vllm

QUESTIONS, TOKENS = 24, 16


async def bench(stage: Stage, tokenizer: str, folder: Path) -> dict[str, Any]:
    """Ask about random pictures, in random words. Returns: what it has measured."""
    address = stage.api.base_url.removesuffix("/v1")
    [model] = stage.completions.models()
    process = await asyncio.create_subprocess_exec(
        *(str(VllmServer.folder / "bin" / "vllm"), "bench", "serve"),
        *("--backend", "openai-chat", "--base-url", address),
        *("--endpoint", "/v1/chat/completions", "--model", model, "--tokenizer", tokenizer),
        *("--num-prompts", str(QUESTIONS), "--max-concurrency", "6", "--disable-tqdm"),
        *("--random-input-len", "24", "--random-output-len", str(TOKENS), "--temperature", "1"),
        *("--save-result", "--save-detailed", "--result-filename", str(folder / "result.json")),
        *("--dataset-name", "random-mm", "--random-mm-base-items-per-request", "1"),
        *("--random-mm-limit-mm-per-prompt", '{"image": 2, "video": 0}'),
        *("--random-mm-bucket-config", "{(64, 48, 1): 1.0}"),
        stdout=PIPE,
        stderr=STDOUT,
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "OPENAI_API_KEY": KEY,
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        },
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-4000:]
    result: dict[str, Any] = json.loads(await asyncio.to_thread((folder / "result.json").read_text))
    assert result["failed"] == 0, (result["errors"], said.decode()[-4000:])
    return result


async def test_vllms_own_benchmark_measures_the_bot(
    talkative: str, tiny: Backend, tmp_path: Path
) -> None:
    if not (VllmServer.folder / ".installed").exists():
        pytest.skip(f"vLLM is not installed: {VllmServer.how} does it")
    devices = Devices([lambda: tiny])
    devices.start()
    try:
        async with starting_engine(devices, max_waiting=QUESTIONS) as engine:
            result = await measured(engine, talkative, tmp_path)
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)
    assert result["completed"] == QUESTIONS
    assert set(result["output_lens"]) == {TOKENS}
    assert result["mean_ttft_ms"] > 0
    assert result["mean_tpot_ms"] > 0


async def measured(engine: Engines, tokenizer: str, folder: Path) -> dict[str, Any]:
    """Run it against an API, and count with it."""
    await engine.loaded()
    bounds: dict[str, Any] = {
        "keys_at_once": QUESTIONS,
        "keys_per_minute": 1000,
        "keys_per_day": 10_000,
    }
    async with running_api(engine, folder, **bounds) as stage:
        result = await bench(stage, tokenizer, folder)
        used = (await stage.used())["home", Outcome.ANSWERED.value]
    assert used.questions >= QUESTIONS
    assert used.pictures >= QUESTIONS
    return result
