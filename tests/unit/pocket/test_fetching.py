"""The pocket's download: how far it is, what stops it, what a second try keeps."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from aiohttp import web

import inference.pocket.fetch as fetch_module
from inference.pocket.fetch import LANGUAGE, TOWER, Part, PocketUnavailable, ensure_pocket
from inference.pocket.pip import run_pip
from inference.progress import LoadCancelled, Progress, StreamProgress

WHEEL = "parts-1.0-py3-none-any.whl"
HALF_BYTES = 2_000_000
"""Several of the pieces that pip reads at once."""


@pytest.fixture
async def slow_index() -> AsyncIterator[str]:
    """An index that sends half of a wheel, and then nothing."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("parts/data", os.urandom(2 * HALF_BYTES))
        archive.writestr("parts-1.0.dist-info/METADATA", "Name: parts\nVersion: 1.0\n")

    ended = asyncio.Event()

    async def links(_request: web.Request) -> web.Response:
        return web.Response(text=f'<a href="/{WHEEL}">{WHEEL}</a>', content_type="text/html")

    async def wheel(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(file.getvalue()))})
        await response.prepare(request)
        await response.write(file.getvalue()[:HALF_BYTES])
        await asyncio.wait_for(ended.wait(), 60)
        return response

    app = web.Application()
    app.router.add_get("/", links)
    app.router.add_get(f"/{WHEEL}", wheel)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    ended.set()
    await runner.cleanup()


async def test_bytes_are_counted_while_they_come_and_a_cancelled_load_ends_pip(
    slow_index: str, tmp_path: Path
) -> None:
    seen: list[int] = []

    def on_bytes(size: int) -> None:
        seen.append(size)
        if size >= HALF_BYTES // 2:
            raise LoadCancelled

    arguments = ["download", "--no-deps", "--no-index", "--find-links", slow_index]
    arguments += ["--dest", str(tmp_path), "--progress-bar", "off", "--no-cache-dir", "parts"]
    with pytest.raises(LoadCancelled):
        async with asyncio.timeout(60):
            await asyncio.to_thread(run_pip, arguments, tmp_path, on_bytes)
    assert 0 < seen[-1] <= 2 * HALF_BYTES
    assert seen == sorted(seen)


def test_a_wheel_that_pip_moves_to_its_place_counts_once_and_goes_on_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, placed = tmp_path / "pip" / "pip-unpack-1" / WHEEL, tmp_path / WHEEL
    temporary.parent.mkdir(parents=True)
    seen: list[int] = []
    pip = mock.Mock(returncode=0)
    pip.poll.side_effect = [None] * 4 + [0, 0]
    monkeypatch.setattr("inference.pocket.pip.subprocess.Popen", lambda *_, **__: pip)
    monkeypatch.setattr("inference.pocket.pip.POLL_S", 0)

    def on_bytes(size: int) -> None:
        seen.append(size)
        match len(seen):
            case 1:
                temporary.write_bytes(bytes(60))
            case 2:
                placed.write_bytes(bytes(20))
            case 3:
                placed.write_bytes(bytes(60))
                temporary.unlink()

    run_pip([], tmp_path, on_bytes)
    assert seen == [0, 60, 60, 60]


def test_a_folder_that_pip_removes_meanwhile_ends_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = tmp_path / "pip" / "pip-unpack-1"
    removed.mkdir(parents=True)
    (tmp_path / WHEEL).write_bytes(bytes(60))
    list_folder = os.scandir

    def scandir(path: Path | str) -> object:
        if Path(path) == removed:
            removed.rmdir()
        return list_folder(path)

    pip = mock.Mock(returncode=0)
    pip.poll.side_effect = [None, 0, 0]
    monkeypatch.setattr("inference.pocket.pip.subprocess.Popen", lambda *_, **__: pip)
    monkeypatch.setattr("inference.pocket.pip.POLL_S", 0)
    monkeypatch.setattr(os, "scandir", scandir)
    seen: list[int] = []
    assert run_pip([], tmp_path, seen.append)[0] == 0
    assert (seen, removed.exists()) == ([60], False)


def test_a_second_start_downloads_only_the_part_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = replace(TOWER, sha256=hashlib.sha256(TOWER.label.encode()).hexdigest())
    fetched: list[str] = []
    breaks_off = True

    def fetch(part: Part, work: Path, _progress: Progress) -> Path:
        fetched.append(part.label)
        if part is LANGUAGE and breaks_off:
            raise PocketUnavailable("the network is gone")
        path = work / Path(part.member).name
        path.write_text(part.label)
        return path

    def assemble(gguf: Path, released: Path, out: Path, _progress: Progress) -> None:
        assert (gguf.read_text(), released.read_text()) == (LANGUAGE.label, TOWER.label)
        out.mkdir()

    monkeypatch.setattr(fetch_module, "TOWER", tower)
    monkeypatch.setattr(fetch_module, "fetch_part", fetch)
    monkeypatch.setattr(fetch_module, "_assemble", assemble)
    progress = StreamProgress(io.StringIO())
    with pytest.raises(PocketUnavailable, match="network"):
        ensure_pocket(tmp_path, progress=progress)
    breaks_off = False
    built = ensure_pocket(tmp_path, progress=progress)
    assert fetched == [TOWER.label, LANGUAGE.label, LANGUAGE.label]
    assert list(tmp_path.iterdir()) == [built]


def test_a_part_that_was_damaged_meanwhile_is_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "parts"
    kept.mkdir()
    (kept / Path(TOWER.member).name).write_text("damaged")
    fetched = tmp_path / "new"
    fetched.write_text("right")
    monkeypatch.setattr(fetch_module, "fetch_part", lambda *_: fetched)
    part = fetch_module._kept_part(TOWER, kept, tmp_path, StreamProgress(io.StringIO()))
    assert part.read_text() == "right"
