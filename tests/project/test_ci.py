"""What `.ci/run` does with the servers' suites: run them in time, and fail for the code alone."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.project.test_packaging import ROOT

ALWAYS = ["test", "test-families", "test-heavy"]
SERVERS = ["test-llama-cpp", "test-vllm"]


@dataclass
class Checkout:
    """`.ci/run` where `make`, `df` and the installations are a test's own."""

    folder: Path
    programs: dict[str, str] = field(default_factory=dict)

    def run(self, *, seconds: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it as if it had begun so long ago."""
        usual = {"make": 'echo "$1" >> made', "df": "printf 'Avail\\n 100\\n'"}
        for name, body in (usual | self.programs).items():
            path = self.folder / "bin" / name
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        # bash takes the variable as the time that has passed.
        variables = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "SECONDS": str(seconds)}
        return subprocess.run(
            [self.folder / ".ci" / "run"],
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def install(self, name: str, body: str) -> None:
        """What `tests/NAME/install.sh` does."""
        script = self.folder / "tests" / name / "install.sh"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f'#!/bin/sh\nmkdir -p "$2"\n{body}\n')
        script.chmod(0o755)

    @property
    def made(self) -> list[str]:
        return (self.folder / "made").read_text().split()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    for folder in (".ci", "bin"):
        (tmp_path / folder).mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_text((ROOT / ".ci" / "run").read_text(encoding="utf-8"), encoding="utf-8")
    script.chmod(0o755)
    for name in ("llama_cpp", "vllm"):
        made.install(name, "true")
    return made


def test_servers_come_behind_everything_else(checkout: Checkout) -> None:
    assert checkout.run().returncode == 0
    assert checkout.made == [*ALWAYS, *SERVERS]


def test_an_installation_that_fails_is_named_and_skipped(checkout: Checkout) -> None:
    checkout.install("vllm", "exit 3")
    done = checkout.run()
    assert done.returncode == 0
    assert "Skipped: test-vllm, since tests/vllm/install.sh ended with status 3." in done.stdout
    assert checkout.made == [*ALWAYS, "test-llama-cpp"]
    assert not (checkout.folder / ".cache" / "vllm").exists()


@pytest.mark.parametrize(
    ("late", "named", "limit_s"),
    [
        ("tests/vllm/install.sh", "tests/vllm/install.sh ended with status 124", 47 * 60 - 2000),
        ("test-vllm", "the rest of test-vllm, since it was not done", 54 * 60 - 2000),
    ],
)
def test_what_takes_too_long_is_ended_named_and_skipped(
    late: str, named: str, limit_s: int, checkout: Checkout
) -> None:
    checkout.programs["timeout"] = f"""echo "$*" >> limits
case "$*" in *{late}*) exit 124 ;; esac
while [ "$1" != make ] && [ "${{1#tests/}}" = "$1" ]; do shift; done
exec "$@"
"""
    done = checkout.run(seconds=2000)
    assert done.returncode == 0
    assert named in done.stdout
    [limits] = [
        line for line in (checkout.folder / "limits").read_text().splitlines() if late in line
    ]
    assert any(limit_s - 20 < int(word) <= limit_s for word in limits.split() if word.isdecimal())


@pytest.mark.parametrize(
    ("minutes", "free_gb", "why"),
    [(41, 100, "41 minutes have passed"), (0, 7, "the disk has 7 GB left")],
)
def test_without_time_or_room_they_are_skipped(
    minutes: int, free_gb: int, why: str, checkout: Checkout
) -> None:
    checkout.programs["df"] = f"printf 'Avail\\n {free_gb}\\n'"
    done = checkout.run(seconds=60 * minutes)
    assert done.returncode == 0
    assert done.stdout.count(why) == len(SERVERS)
    assert checkout.made == ALWAYS


def test_a_test_that_fails_fails(checkout: Checkout) -> None:
    for target in (*ALWAYS, *SERVERS):
        checkout.programs["make"] = f'[ "$1" != {target} ] || exit 2'
        assert checkout.run().returncode == 2
