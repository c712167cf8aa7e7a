"""What `llava-bot setup` makes before it downloads."""

from __future__ import annotations

from pathlib import Path

import pytest

import inference.backends.fetching as fetching
from bot.settings import Settings
from bot.setup.fetching import fetch_models


def test_the_folder_that_a_download_begins_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(_spec: object, *, cache_dir: Path, progress: object) -> None:
        cache_dir.mkdir(parents=True)

    monkeypatch.setattr(fetching, "fetch", fetch)
    data = tmp_path / "share" / "llava-bot"
    fetch_models(Settings.model_validate({"data_dir": data}))
    assert data.stat().st_mode & 0o777 == 0o700
