"""The house's measures: no large modules, no crowded folders."""

from __future__ import annotations

import ast
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


LISTENING = {"TCPSite": 1, "SockSite": 1, "start_server": 1, "create_server": 0}
"""What listens → which of its arguments has the address."""


@pytest.mark.parametrize("house", HOUSES)
def test_what_listens_is_bounded_and_tests_listen_for_this_machine_alone(house: str) -> None:
    found = []
    for path in modules_of(house):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in LISTENING:
                continue
            where = ast.unparse(node.args[LISTENING[node.func.attr]]) if node.args else ""
            if house != "tests" or "127.0.0.1" not in where:
                found.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")
    # Everything of the bot's own listens through `BoundedSite`.
    allowed = "bot/platforms/listening/connections.py"
    assert [each for each in found if not each.startswith(allowed)] == []
