"""Several processes on one database, with pictures that all of them see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot.values.picture_places import PictureFolder
from tests.postgresql import postgresql, postgresql_url

__all__ = ["postgresql", "postgresql_url"]


@pytest.fixture
def store_at(postgresql_url: URL, tmp_path: Path) -> dict[str, Any]:
    """Where every process keeps its rows and pictures."""
    shared = PictureFolder(tmp_path / "pictures", is_shared=True)
    return {"url": postgresql_url, "pictures_at": shared}
