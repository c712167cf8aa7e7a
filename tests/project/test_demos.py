"""The demos need what runs the bot, and little else."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def names_in(extra: str) -> set[str]:
    return {re.split(r"[<>=~; ]", it)[0].lower() for it in EXTRAS.get(extra, ())}


@pytest.mark.parametrize(
    ("demo", "extra"), [("tests.servers.slack.demo", "run"), ("tests.servers.discord.demo", "demo")]
)
def test_a_demo_runs_on_what_its_target_installs(demo: str, extra: str) -> None:
    target = demo.split(".")[2]
    assert f"demo-{target}: $(VENV)/.{extra}-installed" in MAKEFILE
    absent = names_in("dev") - names_in(extra)
    modules = [
        module
        for module, distributions in packages_distributions().items()
        if {it.lower() for it in distributions} & absent
    ]
    assert "pytest" in modules
    assert "playwright" in modules
    # A module that is None in sys.modules cannot be imported.
    code = f"import sys; sys.modules.update(dict.fromkeys({modules!r})); import {demo}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=200)
