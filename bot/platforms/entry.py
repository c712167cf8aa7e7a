"""What the bot knows of a platform before it runs."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bot.core.access import AllowList
from bot.platforms.findings import Finding, Verdict
from bot.platforms.platform import Platform
from bot.settings import SettingsGroup

if TYPE_CHECKING:
    # At run time it would bring the database and Pillow along, and `--help` reads this module.
    from bot.platforms.services import AdapterServices

Group = TypeVar("Group", bound=SettingsGroup)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor(Generic[Group]):
    """Examines a platform's set-up."""

    examine: Callable[[Group, str | None], Awaitable[list[Finding]]]
    """With the id of a channel to post a message in, or `None`."""
    is_channel: Callable[[str], bool]
    """Whether an id may be one of this platform's channels."""
    channel_form: str
    """What such an id looks like, for `--help`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Generic[Group]):
    """What an admin has to tell the platform about the bot."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    make: Callable[[Group, argparse.Namespace], object]
    """A text, or what is printed as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuestion:
    """A token that `llava-bot setup` asks for."""

    setting: str
    sentence: str
    """The key of the sentence that says where it is found, and what it is for."""
    form: str
    """What it looks like, in words: `xoxb-…`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp(Generic[Group]):
    """What `llava-bot setup` asks and says."""

    before: Callable[[str], str]
    """What to do first, in the language of a locale."""
    tokens: tuple[TokenQuestion, ...]
    verify: Callable[[Group, str], Awaitable[Verdict]]
    """Ask the platform about one token, by its field's name."""
    after: Callable[[str, Group], str]
    """What to do last, in the language of a locale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformEntry(Generic[Group]):
    """A row of `PLATFORMS`. Its functions import the adapter and the SDK when they are called."""

    name: str
    """As in `MessageKey.platform`."""
    title: str
    """What sentences call it."""
    settings: type[Group]
    make: Callable[[AdapterServices, Group], Platform]
    """Make the adapter. Raises: PlatformUnavailable, ImportError."""
    is_set_up: Callable[[Group], bool] = lambda _: True
    """Whether its settings ask for it; otherwise it is not made."""
    check: Callable[[Group], None] = lambda _: None
    """Look at its settings without asking anybody, before anything is loaded.

    Raises: PlatformUnavailable: what to change.
    """
    allow_list: Callable[[Group], AllowList] | None = None
    """Who may ask; without one, everybody who can reach it."""
    doctor: Doctor[Group] | None = None
    manifest: Manifest[Group] | None = None
    set_up: SetUp[Group] | None = None
