"""Reads what lies in deploy/."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bot.app import CLOSING_S
from bot.configuration import variables
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose.yaml"
UNIT = DEPLOY / "llava-bot.service"
KUBERNETES = DEPLOY / "kubernetes"

ENDS_WITHIN_S = Settings.model_fields["drain_s"].default + CLOSING_S
"""After a stop, the bot has ended; waiting for that takes longer."""
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
OTHERS_VARIABLES = frozenset(
    {
        "CREDENTIALS_DIRECTORY",
        "HF_HOME",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_VISIBLE_DEVICES",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "TRITON_CACHE_DIR",
        "XDG_CACHE_HOME",
    }
)
"""Variables of Python, of libraries, of the container's runtime, and where secrets are."""


def is_setting(name: str) -> bool:
    """Whether the bot, or something that it runs on, reads this variable."""
    return name in OTHERS_VARIABLES or name in variables()


# -- Dockerfile -----------------------------------------------------------------------------------


@dataclass
class Stage:
    """What follows a FROM."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)
    """(instruction, its arguments), continued lines joined."""

    def all(self, instruction: str) -> list[str]:
        """The arguments of each instruction of a kind."""
        return [arguments for name, arguments in self.instructions if name == instruction]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """A Dockerfile's instructions, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for statement in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if statement.strip():
            name, _, arguments = statement.strip().partition(" ")
            yield name, " ".join(arguments.split())


def stages() -> dict[str, Stage]:
    """The Dockerfile's stages by name."""
    found: dict[str, Stage] = {}
    defaults: dict[str, str] = {}
    for name, arguments in instructions(DOCKERFILE.read_text(encoding="utf-8")):
        if name == "ARG" and not found:
            key, _, value = arguments.partition("=")
            defaults[f"${{{key}}}"] = value
        elif name == "FROM":
            base, _, stage = arguments.partition(" AS ")
            found[stage] = Stage(defaults.get(base, base))
        else:
            list(found.values())[-1].instructions.append((name, arguments))
    return found


def lineage(target: str) -> list[Stage]:
    """A target and the stages that it is made from, the first one first."""
    known = stages()
    chain = [known[target]]
    while chain[0].base in known:
        chain.insert(0, known[chain[0].base])
    return chain


def variables_of(target: str) -> dict[str, str]:
    """The environment of a target's containers."""
    found: dict[str, str] = {}
    for stage in lineage(target):
        for arguments in stage.all("ENV"):
            for pair in shlex.split(arguments):
                name, _, value = pair.partition("=")
                found[name] = value
    return found


# -- YAML -----------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Knows compose's `!reset`."""


_Loader.add_constructor("!reset", lambda _loader, _node: None)


def documents(path: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file."""
    return list(yaml.load_all(path.read_text(encoding="utf-8"), _Loader))


def compose() -> dict[str, Any]:
    """deploy/compose.yaml."""
    (found,) = documents(COMPOSE)
    return found


def resources() -> dict[tuple[str, str], dict[str, Any]]:
    """Kubernetes' resources by kind and name, the example of a secret among them."""
    return {
        (one["kind"], one["metadata"]["name"]): one
        for path in KUBERNETES.glob("*.yaml")
        if path.name != "kustomization.yaml"
        for one in documents(path)
    }


# -- the unit -------------------------------------------------------------------------------------


def directives() -> dict[str, list[str]]:
    """The unit's directives, each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def seconds(span: str) -> float:
    """systemd's, Compose's or Docker's span, in seconds."""
    number, unit = re.fullmatch(r"(\d+)([a-z]*)", span).groups()  # type: ignore[union-attr]
    return int(number) * {"": 1, "s": 1, "m": 60, "min": 60}[unit]
