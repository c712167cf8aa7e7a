"""The house's measures: no large modules, no crowded folders."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 450
MAX_MODULES = 20

HOUSES = ("bot", "inference", "tests")


def modules_of(house: str) -> list[Path]:
    return sorted((ROOT / house).rglob("*.py"))


@pytest.mark.parametrize("house", HOUSES)
def test_no_module_is_longer_than_can_be_read_at_a_sitting(house: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules_of(house)
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


@pytest.mark.parametrize("house", HOUSES)
def test_no_folder_is_a_crowd(house: str) -> None:
    counts: dict[str, int] = {}
    for path in modules_of(house):
        if path.name != "__init__.py":
            folder = str(path.parent.relative_to(ROOT))
            counts[folder] = counts.get(folder, 0) + 1
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}
