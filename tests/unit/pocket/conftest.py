"""The real pocket, built once in the cache that the bot uses."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from inference.pocket.evaluate import Asker
from inference.pocket.fetch import PocketUnavailable, ensure_pocket, pocket_dir

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def asker() -> Asker:
    """The built pocket, loaded; skipped only where the parts cannot be downloaded."""
    cache = Path(os.environ.get("LLAVA_BOT_CACHE", REPOSITORY / ".cache"))
    try:
        folder = ensure_pocket(cache, progress=io.StringIO())
    except PocketUnavailable as error:
        if pocket_dir(cache).exists():
            raise
        pytest.skip(f"no pocket here: {error}")
    return Asker(folder)
