"""Fixtures of the scenarios."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def talkative(
    tiny_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A model that never ends by itself: an answer lasts as long as its number of tokens."""
    folder = tmp_path_factory.mktemp("talkative")
    shutil.copytree(tiny_checkpoint("llava-onevision"), folder, dirs_exist_ok=True)
    config = json.loads((folder / "generation_config.json").read_text())
    config["suppress_tokens"] = [config["eos_token_id"]]
    (folder / "generation_config.json").write_text(json.dumps(config))
    return str(folder)
