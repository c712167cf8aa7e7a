"""The documents that list every setting: docs/settings.md and .env.example.

python -m tests.settings_documents [--write]

Both are made from the groups of settings. Without `--write` they are only compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bot.configuration import further_groups
from bot.settings import Settings, SettingsGroup

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
EXAMPLE = ROOT / ".env.example"

INTRODUCTION = """\
# Settings

<!-- Made by `python -m tests.settings_documents --write` from the classes of settings. -->

Every setting has a default: without any, the bot runs the pocket model and the playground on \
this machine.

**Where to set them.** In a file called `.env` in the folder where you start the bot (`cp \
.env.example .env`, then remove the `#` before what you change), or in the environment. Each is \
an argument, too: `DATA_DIR` is `--data-dir`, and `FETCH_LINKS=false` is `--no-fetch-links`. \
Arguments win over the environment, which wins over `.env`; an empty value counts as not set. \
`.env` is read once, at the start.

**Secrets in files.** Each token, password and key, and `DATABASE_URL`, can be read from a file: \
`SLACK_BOT_TOKEN_FILE=/run/secrets/slack_bot_token`, in the environment or in `.env`. A unit of \
systemd hands them over as credentials of the settings' names \
(`LoadCredential=slack_bot_token:/etc/llava-bot/slack_bot_token`), which win over `.env`. See \
[operations.md](operations.md#secrets).

**What is checked.** All settings are read before anything is loaded. A wrong value is told with \
what it can be and where it was set; a misspelt name is told with the one that was meant. \
`llava-bot doctor` checks the same, and whether the tokens, the port and the model work.

**Lists** are separated by commas or spaces. Words are understood in any case, and for yes and no \
so are `true`/`false`, `on`/`off` and `1`/`0`.
"""
NOTES = {
    "the model": "Which model for which machine: [README](../README.md#requirements).",
    "the playground": "The former names `LLAVA_BOT_HOST`, `LLAVA_BOT_PORT` and "
    "`LLAVA_BOT_PASSWORD` are still read. Who sees what: [playground.md](playground.md#people).",
    "Slack": "Set-up: [slack.md](slack.md#set-up).",
    "Discord": "Set-up: [discord.md](discord.md#set-up).",
    "the API": "Set-up, and what it offers: [api.md](api.md).",
    "monitoring": "What is there: [operations.md](operations.md#see-how-it-is).",
}


class Row(NamedTuple):
    """A setting as the documents show it."""

    variable: str
    default: str
    example: str
    description: str


def default_of(group: type[SettingsGroup], name: str) -> str:
    """As one writes it into `.env`; empty when there is none."""
    if (group, name) == (Settings, "data_dir"):
        return ""  # it differs from machine to machine
    default = group.model_fields[name].default
    if isinstance(default, bool):
        return json.dumps(default)
    return "" if default is None or default == frozenset() else str(default)


def rows(group: type[SettingsGroup]) -> Iterator[Row]:
    """Every setting of a group, in the order of its fields."""
    for name, field in group.model_fields.items():
        yield Row(
            variable=f"{group.prefix}{name.upper()}",
            default=default_of(group, name),
            example=str((field.examples or [""])[0]),
            description=field.description or "",
        )


def sections() -> dict[str, list[Row]]:
    """Title → settings of every section, as `--help` has them."""
    beginnings = {first.upper(): title for title, first in Settings.sections.items()}
    found: dict[str, list[Row]] = {}
    title = ""
    for row in rows(Settings):
        title = beginnings.get(row.variable, title)
        found.setdefault(title, []).append(row)
    return found | {title: list(rows(group)) for title, group in further_groups().items()}


def page() -> str:
    """What docs/settings.md says."""
    parts = [INTRODUCTION]
    for title, settings in sections().items():
        parts.append(f"## {_capitalised(title)}\n")
        parts += [f"{NOTES[title]}\n"] if title in NOTES else []
        lines = ["| setting | default | example | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{row.variable}` | {_code(row.default)} | {_code(row.example)} "
            f"| {_within(title, row.description)} |"
            for row in settings
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def example() -> str:
    """What .env.example says."""
    lines = [
        "# Copy to .env, in the folder where you start the bot, and remove the # before what you",
        "# change. Every setting may stand in the environment instead. docs/settings.md shows",
        "# them as tables.",
    ]
    for title, settings in sections().items():
        lines += ["", f"# ---- {_capitalised(title)} ".ljust(80, "-")]
        for row in settings:
            description = _within(title, row.description).replace("`", "")
            lines += [
                "",
                *textwrap.wrap(description, 96, initial_indent="# ", subsequent_indent="# "),
            ]
            if row.default and row.example:
                lines.append(f"# Example: {row.example}")
            lines.append(f"# {row.variable}={row.default or row.example}")
    return "\n".join(lines) + "\n"


def _within(title: str, description: str) -> str:
    """Without the platform's name, which the heading has."""
    return _capitalised(description.removeprefix(f"{title}: "))


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _code(value: str) -> str:
    return f"`{value}`" if value else ""


def outdated() -> list[str]:
    """The documents that say something else than the settings."""
    return [path.name for path, text in _documents() if path.read_text(encoding="utf-8") != text]


def _documents() -> list[tuple[Path, str]]:
    return [(PAGE, page()), (EXAMPLE, example())]


def main() -> int:
    """Compare or write them. Returns: 1 when one is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write them anew")
    if parser.parse_args().write:
        for path, text in _documents():
            path.write_text(text, encoding="utf-8")
    return 1 if outdated() else 0


if __name__ == "__main__":
    sys.exit(main())
