"""A model is fetched without being loaded, and a download that broke off is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inference.backends.fetching import fetch
from inference.backends.survey import is_here
from inference.errors import ModelUnavailable
from inference.pocket.fetch import pocket_dir
from inference.progress import LoadProgress
from inference.types import ModelSpec
from tests.servers.hub import LocalHub, running_hub

REPO = "somebody/tiny-llava"
SIZE = 256 * 12_000
SPEC = ModelSpec(name=REPO)


class Noted:
    """Implements `Progress`."""

    def __init__(self) -> None:
        self.reports: list[LoadProgress] = []

    def report(self, progress: LoadProgress) -> None:
        self.reports.append(progress)

    def say(self, line: str) -> None: ...


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalHub]:
    files = {
        "config.json": b'{"model_type": "llava"}',
        "model.safetensors": bytes(range(256)) * (SIZE // 256),
        "notes.md": b"nobody needs this",
    }
    async with running_hub(REPO, files) as hub:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            hub.address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        yield hub


async def fetched(tmp_path: Path) -> Noted:
    progress = Noted()
    await asyncio.to_thread(fetch, SPEC, cache_dir=tmp_path, progress=progress)
    return progress


def snapshot(tmp_path: Path) -> dict[str, bytes]:
    (folder,) = (tmp_path / "hub").glob("models--*/snapshots/*")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_a_model_is_fetched_with_what_a_load_needs(tmp_path: Path, hub: LocalHub) -> None:
    assert not await asyncio.to_thread(is_here, SPEC, cache_dir=tmp_path)
    progress = await fetched(tmp_path)
    assert await asyncio.to_thread(is_here, SPEC, cache_dir=tmp_path)
    del hub.files["notes.md"]
    assert await asyncio.to_thread(snapshot, tmp_path) == hub.files
    last = progress.reports[-1]
    assert (last.what, last.done_bytes, last.total_bytes) == (REPO, SIZE, SIZE)
    hub.served.clear()
    await fetched(tmp_path)
    assert "model.safetensors" not in hub.served


@pytest.mark.heavy  # the library waits between its tries
async def test_a_download_that_broke_off_is_resumed_where_it_stopped(
    tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is written at once: 10 MB, of files of gigabytes.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)
    hub.breaks_after = 1_000_000
    with pytest.raises(ModelUnavailable, match="it goes on where it stopped"):
        await fetched(tmp_path)
    assert not await asyncio.to_thread(is_here, SPEC, cache_dir=tmp_path)
    hub.breaks_after = None
    hub.served.clear()
    progress = await fetched(tmp_path)
    assert hub.served["model.safetensors"] == [1_000_000]
    assert (await asyncio.to_thread(snapshot, tmp_path))["model.safetensors"] == hub.files[
        "model.safetensors"
    ]
    assert min(it.done_bytes or 0 for it in progress.reports if it.total_bytes == SIZE) >= 1_000_000


async def test_a_model_that_nobody_has_is_told_in_one_sentence(
    tmp_path: Path, hub: LocalHub
) -> None:
    hub.repo = "another/model"
    with pytest.raises(ModelUnavailable, match=REPO):
        await fetched(tmp_path)


def test_what_is_here_already_is_not_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    fetch(ModelSpec(name=str(folder)), cache_dir=tmp_path, progress=Noted())
    served = ModelSpec(name="openai:http://127.0.0.1:9/v1#served")
    fetch(served, cache_dir=tmp_path, progress=Noted())
    pocket_dir(tmp_path).mkdir(parents=True)
    fetch(ModelSpec(name="pocket"), cache_dir=tmp_path, progress=Noted())
