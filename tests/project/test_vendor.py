"""The page's libraries are the released ones, keep their licences and are installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.vendor import MANIFEST, VENDOR, digest, manifest

ROOT = Path(__file__).parents[2]


def files() -> dict[str, str]:
    return {path: it["sha256"] for library in manifest() for path, it in library["files"].items()}


def test_every_file_is_the_one_that_was_released() -> None:
    """`python -m tests.vendor` compares the hashes with the released packages themselves."""
    assert {path: digest((VENDOR / path).read_bytes()) for path in files()} == files()


def test_nothing_lies_there_that_the_manifest_does_not_name() -> None:
    found = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert found - {MANIFEST.name} == set(files())


def test_every_library_says_version_licence_and_source_and_keeps_its_licence() -> None:
    for library in manifest():
        assert re.fullmatch(r"\d+\.\d+\.\d+", library["version"]), library["name"]
        assert library["licence"]
        assert library["source"].startswith("https://")
        licences = [path for path in library["files"] if "LICENSE" in path]
        assert all((VENDOR / path).stat().st_size > 500 for path in licences)
        assert licences, f"{library['name']} has no licence"


def test_the_libraries_are_installed_with_the_bot() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["bot"]
    shipped = {path for pattern in patterns for path in (ROOT / "bot").glob(pattern)}
    assert {VENDOR / path for path in files()} <= shipped
