"""Every sentence the bot says: one catalogue per language, one key per sentence.

A value may choose between two forms: ``{count} {count:question|questions}`` takes the first where
the count is 1. A name from right to left does not turn the sentence that it stands in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from math import ceil
from string import Formatter

from bot.texts.sizes import size
from bot.values.cleaning import isolated

LANGUAGES = ("en", "ja")


class _SentenceFormatter(Formatter):
    """Python's own formatting, sizes, and the choice between two forms: ``{count:one|several}``."""

    def format_field(self, value: object, format_spec: str) -> str:
        if format_spec == "size" and isinstance(value, int):
            return size(value)
        one, bar, several = format_spec.partition("|")
        if bar:
            return one if value == 1 else several
        formatted: str = super().format_field(value, format_spec)
        return isolated(formatted)


_SENTENCES = _SentenceFormatter()


def language_of(locale: str) -> str:
    """The catalogue for a locale such as ``ja-JP``; English where there is none."""
    language = locale.replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else "en"


@cache
def catalogue(language: str) -> dict[str, str]:
    """All sentences of one language, by key."""
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    by_key: dict[str, str] = tomllib.loads(text)
    return by_key


def load() -> None:
    """Read every catalogue now, so that no sentence has to wait for a file later."""
    for language in LANGUAGES:
        catalogue(language)


def say(locale: str, key: str, **values: object) -> str:
    """The sentence in the user's language, its values filled in."""
    return _SENTENCES.format(catalogue(language_of(locale))[key], **values)


def duration(locale: str, seconds: float) -> str:
    """How long that is, in whole seconds, minutes or hours; never less than it is."""
    for unit_s, key in ((3600, "wait_hours"), (60, "wait_minutes")):
        if seconds > 2 * unit_s:
            return say(locale, key, count=ceil(seconds / unit_s))
    return say(locale, "wait_seconds", count=max(1, ceil(seconds)))


def sentences(
    locale: str, keys_and_values: Iterable[tuple[str, Mapping[str, object]]]
) -> tuple[str, ...]:
    """Several sentences, each as `say` says it."""
    return tuple(say(locale, key, **values) for key, values in keys_and_values)
