"""The real pocket, put together once."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.pocket.fetch import pocket_dir
from inference.pocket.recipe.evaluate import Asker


@pytest.fixture(scope="session")
def asker(pocket_data_dir: Path) -> Asker:
    """The built pocket, loaded."""
    return Asker(pocket_dir(pocket_data_dir / "models"))
