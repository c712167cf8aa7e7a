"""The real API on a loopback port, over a scripted model and over a tiny real one."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from pydantic import SecretStr

from bot.core.answering.options import AnswerOptions
from bot.core.completions.accounts import Accounts
from bot.core.completions.completions import Completions
from bot.images.reading.pool import ReadingPool
from bot.platforms.api.server import Api
from bot.platforms.api.settings import ApiSettings
from bot.store import Store, running_store
from bot.values.limits import PictureLimits
from bot.values.usage import UsageSum
from inference.backends.load import load_model
from inference.engine import Engines
from inference.progress import StreamProgress
from inference.serving.backend import Backend
from inference.serving.fleet import Devices
from inference.serving.starting import starting_engine
from inference.types import ModelSpec
from tests.engines import ScriptedModel, running_models
from tests.hostile_pictures.decoding import shared_pool

KEY, OTHER_KEY = "sk-0123456789abcdef", "sk-fedcba9876543210"


def data_address(picture: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def asking(text: str, *pictures: bytes) -> Any:
    """A message of the user."""
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_address(picture)}} for picture in pictures
    ]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


@dataclass
class Stage:
    """A running API, and how its requests ended."""

    api: Api
    completions: Completions
    engine: Engines
    store: Store

    def client(self, key: str = KEY) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.api.base_url, api_key=key, max_retries=0, timeout=60)

    async def used(self) -> dict[tuple[str, str], UsageSum]:
        """What was counted, by key and outcome."""
        await self.completions.accounts.written()
        sums = await self.store.usage.sums("person", "outcome", platform="api")
        return {(one.person, one.outcome): one for one in sums}


@asynccontextmanager
async def running_api(
    engine: Engines,
    folder: Path,
    *,
    options: AnswerOptions | None = None,
    private_hosts: frozenset[str] = frozenset(),
    readings: ReadingPool | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """The API over a running engine."""
    async with running_store(folder) as store:
        completions = Completions(
            engine=engine,
            decoding=shared_pool(PictureLimits(max_bytes=100_000)),
            options=options or AnswerOptions(),
            accounts=Accounts(store),
            readings=readings,
        )
        keys = SecretStr(f"home={KEY},lab={OTHER_KEY}")
        made = ApiSettings(port=0, keys=keys, **settings)
        api = Api(completions, made, private_hosts=private_hosts)
        await api.start()
        try:
            yield Stage(api, completions, engine, store)
        finally:
            await api.close()
            await completions.accounts.written()


@asynccontextmanager
async def scripted_api(
    folder: Path,
    backend: ScriptedModel,
    *,
    beside: Mapping[str, ScriptedModel] | None = None,
    max_waiting: int = 10,
    **options: Any,
) -> AsyncIterator[Stage]:
    """The API over a model that says what the test wants."""
    models = {"scripted": backend, **(beside or {})}
    async with (
        running_models(models, max_waiting=max_waiting) as engine,
        running_api(engine, folder, **options) as stage,
    ):
        yield stage


@pytest.fixture(scope="session")
def tiny(talkative: str, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """A tiny random model on the fast path."""
    spec = ModelSpec(name=talkative, device="cpu", max_pictures=4)
    folder = tmp_path_factory.mktemp("models")
    return load_model(spec, cache_dir=folder, progress=StreamProgress(io.StringIO()))


@pytest.fixture
async def real(tiny: Backend, tmp_path: Path) -> AsyncIterator[Stage]:
    """The API over the tiny model."""
    devices = Devices([lambda: tiny])
    devices.start()
    try:
        async with starting_engine(devices, max_waiting=10) as engine:
            await engine.loaded()
            async with running_api(engine, tmp_path) as stage:
                yield stage
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)
