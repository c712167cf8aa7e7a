"""What a public project brings along: reasons for its dependencies, types, the same checks."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)
PACKAGES = ("bot", "inference")

BROUGHT_ALONG = {
    "cuda-bindings": "torch",
    "huggingface-hub": "transformers",
    "numpy": "transformers",
    "triton": "torch",
    "yarl": "aiohttp",
}
"""Imported packages → the dependency that requires them, and shows them in its interface."""


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def names_of(requirement: str) -> str:
    return normalised(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0])


def imported_modules() -> Iterator[str]:
    """The top-level module of every import in the packages."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]


def imported_distributions() -> set[str]:
    provided_by = packages_distributions()
    return {
        normalised(distribution)
        for module in set(imported_modules())
        for distribution in provided_by.get(module, ())
    }


def test_each_dependency_is_imported_or_says_why_it_is_there() -> None:
    imported = imported_distributions()
    for requirement in PROJECT["project"]["dependencies"]:
        has_reason = re.search(re.escape(f'"{requirement}",') + r" # \w", PYPROJECT) is not None
        if names_of(requirement) in imported:
            assert not has_reason, f"{requirement} is imported: the reason can go"
        else:
            assert has_reason, f"nothing imports {requirement}: say why it is there"


def test_each_imported_package_is_a_dependency() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    declared = {names_of(it) for it in [*project["dependencies"], *extras["plot"], *extras["s3"]]}
    ours = {"llava-bot"}
    assert imported_distributions() - declared - set(BROUGHT_ALONG) - ours == set()
    assert set(BROUGHT_ALONG.values()) <= declared


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_of_other_projects_see_our_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][package]


def test_the_changelog_has_the_version_of_the_package_and_a_section_for_what_comes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", changelog, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    version, date = sections[1]
    assert version == PROJECT["project"]["version"]
    assert date


def test_a_commit_and_a_pull_request_are_checked_by_what_make_test_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tests = re.search(r"^test: ([\w ]+?) ##", makefile, re.MULTILINE)
    assert tests is not None
    checks = set(tests[1].split())
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: make (\w+)$", hooks, re.MULTILINE)
    assert set(entries) == checks - {"pytest"}, "the hooks are the checks that take seconds"
    workflow = (ROOT / ".github/workflows/checks.yml").read_text(encoding="utf-8")
    assert re.search(r"^ +- run: \.ci/run$", workflow, re.MULTILINE)
    assert re.search(r"^make test$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
