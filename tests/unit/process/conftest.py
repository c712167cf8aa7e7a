from __future__ import annotations

from pathlib import Path

import pytest

from bot.configuration import setting_groups


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for group in setting_groups():
        for prefix in (group.prefix, *group.former_prefixes):
            for name in group.model_fields:
                monkeypatch.delenv(f"{prefix}{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
