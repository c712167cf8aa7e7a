"""The real pocket, put together once."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.pocket.fetch import pocket_dir
from inference.pocket.recipe.evaluate import PocketModel


@pytest.fixture(scope="session")
def pocket(pocket_data_dir: Path) -> PocketModel:
    """The built pocket, loaded."""
    return PocketModel(pocket_dir(pocket_data_dir / "models"))
