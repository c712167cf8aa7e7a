"""The lock: it fits `pyproject.toml`, is whole, and nothing gets past its hashes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.lock import (
    EXTRAS,
    FOLDER,
    PARTS,
    ROOT,
    VERSIONS,
    build_requirements,
    part,
    versions_of,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = {name: part(name) for name in PARTS}
PINS = [pin for name in PARTS for pin in LOCK[name]]


def versions(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Package → its versions in these parts."""
    found: dict[str, list[str]] = {}
    for name in names:
        for pin in LOCK[name]:
            found.setdefault(pin.name, []).append(pin.version)
    return found


def unmet(requirement: str, locked: dict[str, list[str]]) -> bool:
    wanted = Requirement(requirement)
    known = locked.get(canonicalize_name(wanted.name), [])
    return not known or not all(wanted.specifier.contains(it) for it in known)


@pytest.mark.parametrize("name", EXTRAS)
def test_what_a_part_is_for_is_locked_in_it_or_in_a_part_before_it(name: str) -> None:
    before = PARTS[: PARTS.index(name) + 1]
    wanted = list(PROJECT["dependencies"])
    for extra in EXTRAS[name]:
        wanted += PROJECT["optional-dependencies"][extra]
    assert [it for it in wanted if unmet(it, versions(before))] == [], "run `make lock`"


def test_every_extra_is_locked() -> None:
    assert {extra for its in EXTRAS.values() for extra in its} == set(
        PROJECT["optional-dependencies"]
    )


def test_the_lock_holds_what_its_packages_need_themselves() -> None:
    missing: dict[str, list[str]] = {}
    locked = versions(PARTS)
    for pin in PINS:
        try:
            needed = requires(pin.name) or []
        except PackageNotFoundError:
            continue  # not for this system, or in no part that is installed here
        here = [it for it in needed if _is_for_here(it)]
        if unmet_here := [it for it in here if unmet(it, locked)]:
            missing[pin.name] = unmet_here
    assert missing == {}, "run `make lock`"


def _is_for_here(requirement: str) -> bool:
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"extra": ""})


def test_the_build_backend_is_pinned_and_locked() -> None:
    _, *backend = build_requirements()
    assert backend, "pyproject.toml names no backend"
    for requirement in backend:
        wanted = Requirement(requirement)
        assert re.fullmatch(r"==\d+(\.\d+)*", str(wanted.specifier))
        assert not unmet(requirement, versions(("build",)))


def test_every_package_has_the_hashes_of_its_files_and_lies_in_one_part() -> None:
    for pin in PINS:
        assert pin.hashes, pin.name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", it) for it in pin.hashes)
    where = [(pin.name, name) for name in PARTS for pin in LOCK[name]]
    assert len(dict(where)) == len(set(where))


def test_every_line_of_the_lock_is_read() -> None:
    for name in PARTS:
        lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()[1:]
        assert lines == "\n".join(pin.block for pin in LOCK[name]).splitlines()


def test_the_constraints_are_the_versions_of_the_lock() -> None:
    assert VERSIONS.read_text(encoding="utf-8") == versions_of(PINS)


def test_the_lock_names_no_index() -> None:
    for path in (VERSIONS, *FOLDER.iterdir()):
        assert not re.search(r"://|--(extra-)?index|--find-links", path.read_text(encoding="utf-8"))


# -- installing it --------------------------------------------------------------------------------

PYTHON = """#!/bin/sh
[ "$2" = pip ] || exec "{real}" "$@"
echo "$@" >> "{log}"
painted=${{FORCE_COLOR:+painted}}
case "$*" in *--report*) echo "$painted"'{report}' ;; esac
"""


def installed(folder: Path, *parts: str, torch: str | None) -> list[str]:
    """What `install.sh` asks pip for, where `torch` is on offer (`None`: it is here already)."""
    (folder / "bin").mkdir()
    log = folder / "log"
    report = {"install": [{"metadata": {"version": torch}}] if torch else []}
    script = folder / "bin" / "python"
    script.write_text(PYTHON.format(real=sys.executable, log=log, report=json.dumps(report)))
    script.chmod(0o755)
    subprocess.run([str(FOLDER / "install.sh"), str(folder), *parts], check=True)
    return log.read_text().splitlines()


def checked(lines: list[str]) -> list[str]:
    """The parts whose hashes pip compares."""
    found = [
        re.fullmatch(r".* --require-hashes --no-deps .*--requirement requirements/(\w+)\.txt", it)
        for it in lines
    ]
    return [it[1] for it in found if it is not None]


def test_it_installs_where_colours_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a notebook's kernel does
    assert checked(installed(tmp_path, "run", torch="2.13.0")) == ["build", "run", "torch"]


@pytest.mark.parametrize(
    ("torch", "compared"), [("2.13.0", ["torch"]), ("2.13.0+cpu", []), (None, [])]
)
def test_all_is_compared_with_its_hash_but_another_indexs_torch(
    torch: str | None, compared: list[str], tmp_path: Path
) -> None:
    lines = installed(tmp_path, "run", "dev", torch=torch)
    assert checked(lines) == ["build", "run", "dev", *compared]
    others = [it for it in lines if "--require-hashes" not in it]
    asked, *foreign, project, check = others
    assert "--dry-run" in asked
    assert [it.rpartition(" ")[2] for it in foreign] == (
        [f"torch=={torch}"] if torch and "+" in torch else []
    )
    assert project.endswith("--no-deps --no-build-isolation --editable .")
    assert check.endswith("pip check")
