"""The settings that every bot has, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from bot.settings.limits import LimitSettings
from bot.settings.model import ModelSettings
from bot.settings.storage import StorageSettings
from bot.values.limits import FollowUps


# Pydantic puts the fields of the last base first: the documents list them in that order.
class Settings(StorageSettings, LimitSettings, ModelSettings):
    """What every bot has, whatever its platforms."""

    sections: ClassVar[Mapping[str, str]] = {
        "the model": "model",
        "answers": "max_pictures",
        "limits": "max_waiting",
        "the bot": "thread_days",
    }
    """Title → the first field of the section, for `--help` and docs/settings.md."""

    drain_s: float = Field(
        10,
        ge=0,
        description="Seconds that running answers have to finish when the bot is stopped; five "
        "seconds later the process has ended, whatever hangs.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged. Texts and pictures never are."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto",
        description="`text` (for people), `json` (one object per line), or `auto`: text at a "
        "terminal, JSON everywhere else.",
    )
    follow_ups: FollowUps = Field(
        "thread",
        description="Whether follow-ups in the bot's threads need a mention: `thread` (they do "
        "not) or `mention`.",
    )
    refuse: Literal["sentence", "silence"] = Field(
        "sentence",
        description="What people who may not ask get: a `sentence`, once per hour and channel, or "
        "`silence`. What only they see (a slash command of Discord's) always says it.",
    )
    fetch_links: bool = Field(
        True,
        examples=["false"],
        description="Fetch pictures that a question links to; false contacts no other host.",
    )
