"""The doctor's tests ask no hub, and have no card but those they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.doctor import model


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(model, "gpus", lambda: ())
