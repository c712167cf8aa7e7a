"""The settings of a channel by name, and what each can be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from bot.core.channel_settings.presets import with_preset
from bot.errors import UserFacingError
from bot.texts import say
from bot.values.turns import ChannelSettings

MAX_WORDS: Final = 2000
"""Characters of a system prompt, and of a note."""
MAX_PEOPLE: Final = 100
MAX_TEMPERATURE: Final = 2.0
LENGTHS: Final = (16, 8192)
"""Tokens of an answer."""
LANGUAGES: Final = {
    "en": "English",
    "ja": "Japanese",
    "de": "German",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ko": "Korean",
    "pt": "Portuguese",
    "zh": "Chinese",
}
QUESTIONS_OWN: Final = "question"
"""In a menu, the language of the question."""
_OTHER_NAMES: Final = {"英語": "en", "日本語": "ja", "中文": "zh", "中国語": "zh", "韓国語": "ko"}
_PERSON: Final = re.compile(r"<@!?([A-Z0-9]+)(?:\|[^>]*)?>|([A-Z]+[0-9][A-Z0-9]*|[0-9]+)")
"""Somebody mentioned, or an id of Slack's or Discord's; roles and groups are no people."""
EVERYBODY: Final = frozenset({"everybody", "everyone", "全員"})


class SettingName(StrEnum):
    """The settings, as people write them."""

    PROMPT = "prompt"
    NOTE = "note"
    FOLLOW_UPS = "follow-ups"
    MODEL = "model"
    LANGUAGE = "language"
    PEOPLE = "people"
    TEMPERATURE = "temperature"
    LENGTH = "length"
    PRESETS = "presets"


WORDS: Final = ("show", "history", "reset", *SettingName)
"""What can follow /llava settings."""

FIELDS: Final = {
    SettingName.PROMPT: "system_prompt",
    SettingName.NOTE: "note",
    SettingName.FOLLOW_UPS: "follow_ups",
    SettingName.MODEL: "model",
    SettingName.LANGUAGE: "language",
    SettingName.PEOPLE: "people",
    SettingName.TEMPERATURE: "temperature",
    SettingName.LENGTH: "max_new_tokens",
    SettingName.PRESETS: "presets",
}
"""Setting → the field of `ChannelSettings`."""


def changed(
    chosen: ChannelSettings, name: SettingName, words: str, *, models: Sequence[str]
) -> ChannelSettings:
    """The settings with one of them as it was written.

    Raises: UserFacingError: it cannot be that; the sentence says what it can be.
    """
    words = words.strip()
    parsers: dict[SettingName, Callable[[str], object]] = {
        SettingName.PROMPT: _short,
        SettingName.NOTE: _short,
        SettingName.FOLLOW_UPS: _follow_ups,
        SettingName.MODEL: lambda words: _model(words, models),
        SettingName.LANGUAGE: _language,
        SettingName.PEOPLE: _people,
        SettingName.TEMPERATURE: _temperature,
        SettingName.LENGTH: _length,
        SettingName.PRESETS: lambda words: with_preset(chosen.presets, words),
    }
    return _with(chosen, name, parsers[name](words))


def language_choices(locale: str) -> list[tuple[str, str]]:
    """(value, label) of each language in a menu."""
    return [(QUESTIONS_OWN, say(locale, "settings_language_question")), *LANGUAGES.items()]


def without(chosen: ChannelSettings, name: SettingName) -> ChannelSettings:
    """The settings with one of them as it is everywhere else."""
    return _with(chosen, name, getattr(ChannelSettings(), FIELDS[name]))


def _with(chosen: ChannelSettings, name: SettingName, value: object) -> ChannelSettings:
    change: Callable[..., ChannelSettings] = replace
    return change(chosen, **{FIELDS[name]: value})


def _plain(words: str) -> str:
    """Digits and letters of full width as others, in lower case."""
    return unicodedata.normalize("NFKC", words).strip().lower()


def _short(words: str) -> str:
    if len(words) > MAX_WORDS:
        raise UserFacingError("setting_too_long", limit=MAX_WORDS)
    return words


def _follow_ups(words: str) -> str:
    plain = _plain(words)
    if plain not in {"thread", "mention"}:
        raise UserFacingError("setting_follow_ups_bounds")
    return plain


def _model(words: str, models: Sequence[str]) -> str:
    plain = _plain(words)
    if plain not in models:
        names = ", ".join(models)
        raise UserFacingError("model_unknown" if names else "model_only_one", models=names)
    return plain


def _language(words: str) -> str:
    plain = _plain(words)
    by_name = {name.lower(): code for code, name in LANGUAGES.items()} | _OTHER_NAMES
    if plain in LANGUAGES:
        return plain
    if plain not in by_name:
        known = ", ".join(f"{code} ({name})" for code, name in LANGUAGES.items())
        raise UserFacingError("setting_language_bounds", languages=known)
    return by_name[plain]


def _people(words: str) -> tuple[str, ...]:
    if words.lower() in EVERYBODY:
        return ()
    found = []
    for word in filter(None, re.split(r"[\s,、。]+", words)):
        person = _PERSON.fullmatch(word)
        if person is None:
            raise UserFacingError("setting_people_unknown", word=word)
        found.append(person[1] or person[2])
    people = tuple(dict.fromkeys(found))
    if not 0 < len(people) <= MAX_PEOPLE:
        raise UserFacingError("setting_people_bounds", limit=MAX_PEOPLE)
    return people


def _temperature(words: str) -> float:
    try:
        value = float(_plain(words).replace(",", "."))
    except ValueError:
        value = -1
    if not 0 <= value <= MAX_TEMPERATURE:
        raise UserFacingError("setting_temperature_bounds", limit=f"{MAX_TEMPERATURE:g}")
    return value


def _length(words: str) -> int:
    least, most = LENGTHS
    plain = _plain(words)
    value = int(plain) if plain.isdecimal() and len(plain) < 10 else 0
    if not least <= value <= most:
        raise UserFacingError("setting_length_bounds", least=least, most=most)
    return value
