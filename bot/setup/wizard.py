"""Runs the set-up from the first question to a bot that can be started."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot import interrupts
from bot.configuration import ENV_FILE, Configuration, load_configuration
from bot.credentials.files import SUFFIX
from bot.env_file import read_env_file
from bot.errors import CommandFailed
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.registry import PLATFORMS
from bot.platforms.terminal.pictures import locale_of_environment
from bot.setting_problems import SECRET_WORDS
from bot.setup.chats import ask_platform
from bot.setup.dialogue import Dialogue
from bot.setup.env_saving import check_env_file, save_settings
from bot.setup.fetching import fetch_models
from bot.setup.models import ask_model, recommended_settings
from bot.texts import say

FROM_STDIN = "-"
MODEL_SETTINGS = ("MODEL", "QUANTIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was said on the command line."""

    given: Mapping[str, object] = field(repr=False)
    """Settings that are arguments, by their names in lower case."""
    takes_defaults: bool
    """Ask nothing."""
    downloads: bool
    """Fetch the model, and have it answer."""


def set_up(wishes: Wishes) -> int:
    """Ask, write `.env`, fetch the model, look at it all. Returns: the exit code.

    Raises:
        CommandFailed: something is missing, and nobody can be asked; nothing was written.
        ConfigurationError: what is given, or `.env`, cannot be used; nothing was written.
        ModelUnavailable: the model cannot be fetched; `.env` is written.
    """
    # An exception: getpass gives the terminal its echo back, and no half-written file is left.
    interrupts.raise_keyboard_interrupt()
    locale = locale_of_environment()
    check_env_file(ENV_FILE)
    given = {
        name.upper(): str(value) for name, value in wishes.given.items() if value not in {None, ""}
    }
    given = _with_secrets_read(given)
    configuration = load_configuration(**_arguments(given))
    asks = not wishes.takes_defaults and sys.stdin.isatty()
    if asks:
        settings = _asked(Dialogue(locale), configuration, given)
    else:
        settings = _unasked(configuration, given, locale, takes_defaults=wishes.takes_defaults)
    configuration = load_configuration(**_arguments(settings))
    _check_platforms(configuration)
    if settings:
        _check_names(settings)
        save_settings(ENV_FILE, settings)
    interrupts.exit_immediately()  # threads that download would be waited for
    key = "setup_written" if settings else "setup_unchanged"
    print(f"\n{say(locale, key, path=ENV_FILE.absolute())}")
    if wishes.downloads:
        print(say(locale, "setup_fetching"))
        fetch_models(configuration.bot)
    return _look(configuration, locale, asks_model=wishes.downloads)


def _asked(
    dialogue: Dialogue, configuration: Configuration, given: Mapping[str, str]
) -> dict[str, str]:
    dialogue.tell("setup_greeting", path=ENV_FILE.absolute())
    settings = dict(given)
    for entry in PLATFORMS:
        if entry.set_up is not None and not _are_given(given, entry.settings.prefix):
            settings |= ask_platform(dialogue, entry, configuration)
    if not given.keys() & {"MODEL", "MODELS"}:
        settings |= ask_model(dialogue, configuration)
    return settings


def _are_given(given: Mapping[str, str], prefix: str) -> bool:
    return any(name.startswith(prefix) and name.endswith("_TOKEN") for name in given)


def _unasked(
    configuration: Configuration, given: Mapping[str, str], locale: str, *, takes_defaults: bool
) -> dict[str, str]:
    """What arguments and the environment say, with the recommended model where it is left open."""
    settings = {**_from_environment(), **given}
    bot = configuration.bot
    if bot.models is not None or "model" in bot.model_fields_set:
        return settings
    if not takes_defaults:
        raise CommandFailed(say(locale, "setup_no_terminal"))
    return {**recommended_settings(), **settings}


def _from_environment() -> dict[str, str]:
    """Variables that the set-up would ask for: the next start may not have this environment."""
    asked = [
        f"{entry.settings.prefix}{question.setting.upper()}"
        for entry in PLATFORMS
        if entry.set_up is not None
        for question in entry.set_up.tokens
    ]
    return {
        name: value for name in (*asked, *MODEL_SETTINGS) if (value := os.environ.get(name, ""))
    }


def _with_secrets_read(given: Mapping[str, str]) -> dict[str, str]:
    """Each secret that is `-` is a line of standard input: there, no process list shows it."""
    read: Callable[[str], str] = getpass.getpass if sys.stdin.isatty() else _line_of_stdin
    return {
        name: read(f"{name}: ").strip()
        if value == FROM_STDIN and name.endswith(SECRET_WORDS)
        else value
        for name, value in given.items()
    }


def _line_of_stdin(prompt: str) -> str:
    line = sys.stdin.readline().strip()
    if not line:
        raise CommandFailed(f"{prompt.rstrip(': ')}: standard input has no line for it.")
    return line


def _arguments(settings: Mapping[str, str]) -> dict[str, object]:
    return {name.lower(): value for name, value in settings.items()}


def _check_names(settings: Mapping[str, str]) -> None:
    """A secret cannot stand in `.env` and in a file that `.env` names."""
    for name in read_env_file(ENV_FILE).values:
        if name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in settings:
            raise CommandFailed(
                f"{ENV_FILE} reads {name.removesuffix(SUFFIX)} from a file ({name}): remove that "
                "line, or put the new value into that file."
            )


def _check_platforms(configuration: Configuration) -> None:
    """A platform that is half set up is told before anything is written."""
    problems: list[str] = []
    for entry in PLATFORMS:
        settings = configuration.of(entry.settings)
        if not entry.is_set_up(settings):
            continue
        try:
            entry.check(settings)
        except PlatformUnavailable as exc:
            problems += exc.problems
    if problems:
        raise CommandFailed("\n".join(problems))


def _look(configuration: Configuration, locale: str, *, asks_model: bool) -> int:
    from bot.doctor.examination import examine, is_well
    from bot.doctor.report import as_text

    print(f"{say(locale, 'setup_checking')}\n")
    areas = asyncio.run(examine(configuration, asks_model=asks_model))
    print(f"{as_text(areas)}\n")
    well = is_well(areas)
    print(say(locale, "setup_done" if well else "setup_fix"))
    return 0 if well else 1
