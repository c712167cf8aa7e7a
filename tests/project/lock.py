"""The lock: every package that is installed here, with its version and the hashes of its files.

python -m tests.project.lock --write [--upgrade]

Without `--upgrade`, versions stay as long as `pyproject.toml` allows them. The lock holds for every
supported Python and system (`PYTHONS`, `SYSTEMS`), and is made by uv from `pyproject.toml` alone.
`requirements/install.sh` installs it, part by part.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
VERSIONS = ROOT / "constraints.txt"

PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
ONLY_SOURCE = frozenset({"docopt", "forbiddenfruit"})
"""They publish no wheels: pip builds them with the locked setuptools, without a network."""

TORCH = re.compile(r"torch|triton|nvidia-.+|cuda-.+")
"""torch, and what only its CUDA build brings along."""

EXTRAS: Mapping[str, Sequence[str]] = {
    "run": (),
    "s3": ("s3",),
    "demo": ("demo",),
    "dev": ("dev", "plot", "s3"),
    "maintenance": ("maintenance",),
}
"""The parts, in the order in which they are installed, by the extras that need them."""
PARTS = ("build", "torch", *EXTRAS)

MADE_BY = "Made by `make lock` from pyproject.toml"
ABOUT = {
    "build": "what installs everything else: pip, and the backend that builds this project",
    "torch": "PyPI's torch and what its CUDA build needs; another index's build is not compared",
    "run": "what the bot needs, torch apart",
    "s3": "what pictures in a bucket need besides",
    "demo": "what the local chats need besides",
    "dev": "what the checks need besides",
    "maintenance": "what `make lock` and `make audit` need besides",
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock."""

    name: str
    version: str
    marker: str
    """Where it is needed, as a marker of PEP 508; "" is everywhere."""
    hashes: tuple[str, ...]
    """`sha256:…` of each of its files."""

    @property
    def line(self) -> str:
        """Without the hashes."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")

    @property
    def block(self) -> str:
        """With the hashes."""
        return " \\\n".join([self.line, *(f"    --hash={it}" for it in self.hashes)])


def pins_in(text: str) -> list[Pin]:
    """Read a requirements file as uv writes it."""
    blocks = re.findall(
        r"^(\S+)==(\S+)(?: ; ([^\\\n]+?))?((?: \\\n +--hash=\S+)*)$", text, re.MULTILINE
    )
    return [
        Pin(name, version, marker, tuple(re.findall(r"--hash=(\S+)", hashes)))
        for name, version, marker, hashes in blocks
    ]


def part(name: str) -> list[Pin]:
    """A part of the lock as it is in the repository."""
    return pins_in((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))


def build_requirements() -> list[str]:
    """What `pyproject.toml` builds with, and what installs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return ["pip", *project["build-system"]["requires"]]


def versions_of(pins: Iterable[Pin]) -> str:
    """The text of `constraints.txt`."""
    lines = sorted(pin.line for pin in pins)
    about = "the versions of requirements/, for `pip install --constraint`"
    return "\n".join([f"# {MADE_BY}: {about}.", *lines, ""])


# -- making it ------------------------------------------------------------------------------------


def uv(*arguments: str, text: str = "") -> str:
    """Run `uv pip compile` on `pyproject.toml` or on a text. Returns: the requirements."""
    compiled = subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config"),
            *("--system-certs", "--no-header", "--no-annotate", *arguments),
        ],
        cwd=ROOT,
        env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"},  # torch's wheels need it
        input=text,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return compiled.stdout


def resolve(known: str) -> dict[str, list[Pin]]:
    """The parts anew; versions of `known` are kept where they can be."""
    with tempfile.TemporaryDirectory() as folder:
        everything, build = Path(folder, "everything.txt"), Path(folder, "build.in")
        everything.write_text(known, encoding="utf-8")
        build.write_text("\n".join(build_requirements()), encoding="utf-8")
        universal = ("--universal", "--python-version", PYTHONS[0])
        extras = [f"--extra={extra}" for needed in EXTRAS.values() for extra in needed]
        uv(
            *(*universal, "--generate-hashes", "--output-file", str(everything), *extras),
            *("pyproject.toml", str(build)),
        )
        pins = pins_in(everything.read_text(encoding="utf-8"))
        within = (*universal, "--constraint", str(everything))
        needed = {"build": names_in(uv(*within, str(build)))}
        for name, its in EXTRAS.items():
            chosen = [f"--extra={extra}" for extra in its]
            needed[name] = names_in(uv(*within, *chosen, "pyproject.toml"))
    return divided(pins, needed)


def names_in(text: str) -> set[str]:
    """The packages of a requirements file."""
    return {pin.name for pin in pins_in(text)}


def divided(pins: Sequence[Pin], needed: Mapping[str, set[str]]) -> dict[str, list[Pin]]:
    """Each package in the first part that needs it."""
    parts: dict[str, list[Pin]] = {name: [] for name in PARTS}
    for pin in pins:
        first = next(name for name, names in needed.items() if pin.name in names)
        parts["torch" if TORCH.fullmatch(pin.name) else first].append(pin)
    return parts


def check_wheels(pins: Sequence[Pin]) -> None:
    """Check that nothing must be compiled. Raises: CalledProcessError, after uv's own words."""
    text = "\n".join(pin.block for pin in pins)
    sources = [f"--no-binary={name}" for name in sorted(ONLY_SOURCE)]
    for python in PYTHONS:
        for system in SYSTEMS:
            print(f"Python {python}, {system} …", file=sys.stderr)
            uv(
                *("--no-deps", "--only-binary=:all:", *sources, "--python-version", python),
                *("--python-platform", system, "-"),
                text=text,
            )


def write(parts: Mapping[str, Sequence[Pin]]) -> None:
    """Replace the lock."""
    for name, pins in parts.items():
        text = "\n".join([f"# {MADE_BY}: {ABOUT[name]}.", *(pin.block for pin in pins), ""])
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
    everything = [pin for pins in parts.values() for pin in pins]
    VERSIONS.write_text(versions_of(everything), encoding="utf-8")


def main() -> int:
    """Make the lock, and say what differs or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace the lock")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()
    known = VERSIONS.read_text(encoding="utf-8")
    parts = resolve("" if arguments.upgrade else known)
    everything = [pin for pins in parts.values() for pin in pins]
    check_wheels(everything)
    before, after = set(known.splitlines()[1:]), set(versions_of(everything).splitlines()[1:])
    for line in sorted(before ^ after):
        print(f"{'+' if line in after else '-'} {line}", file=sys.stderr)
    if arguments.write:
        write(parts)
        return 0
    return int(any(list(parts[name]) != part(name) for name in PARTS))


if __name__ == "__main__":
    sys.exit(main())
