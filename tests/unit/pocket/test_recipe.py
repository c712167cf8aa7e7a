"""The recipe that made the pocket: in the repository, not in the wheel."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

from inference.pocket import __main__ as command
from inference.pocket.recipe.names import CLASS_NAMES, PAIRS, UNCOUNTED

ROOT = Path(__file__).parents[3]


def test_the_wheel_holds_what_runs_and_not_what_made_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    find = project["tool"]["setuptools"]["packages"]["find"]
    packages = find_namespace_packages(
        str(ROOT), include=find["include"], exclude=find.get("exclude", ())
    )
    assert {"bot", "inference", "inference.pocket"} <= set(packages)
    assert not [package for package in packages if package.startswith(command.RECIPE)]


@pytest.mark.parametrize(
    "arguments", [["evaluate", "photos", "--model", "pocket"], ["classes", "nouns", "ids"]]
)
def test_without_the_recipe_its_commands_end_in_one_sentence(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(command.RECIPE)]:
        monkeypatch.delitem(sys.modules, name)
    package = sys.modules["inference.pocket"]
    monkeypatch.setattr(package, "__path__", [])
    monkeypatch.setattr("sys.argv", ["pocket", *arguments])
    assert command.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "run this in a clone of the repository" in line


def test_no_name_has_spaces_around_it_or_maps_to_itself() -> None:
    names = [*CLASS_NAMES, *CLASS_NAMES.values(), *UNCOUNTED, *PAIRS]
    assert [name for name in names if name != name.strip()] == []
    assert [name for name, spoken in CLASS_NAMES.items() if name == spoken] == []
