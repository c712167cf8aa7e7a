"""A channel's own presets, written as `name = prompt`."""

from __future__ import annotations

from typing import Final, TypeAlias

from bot.core.presets import MAX_NAME, MAX_PROMPT, folded
from bot.errors import UserFacingError
from bot.values.cleaning import clean_name, clean_words

MAX_OF_CHANNEL: Final = 10
NamedPrompts: TypeAlias = tuple[tuple[str, str], ...]
"""(name, prompt) of each."""


def with_preset(presets: NamedPrompts, words: str) -> NamedPrompts:
    """The presets with one more, another prompt for one, or (nothing after `=`) without one.

    Raises: UserFacingError: the sentence says how it is written, or which bound was met.
    """
    name, sign, prompt = words.replace("＝", "=", 1).partition("=")
    name, prompt = clean_name(name).strip(), clean_words(prompt).strip()
    if not sign or not folded(name):
        raise UserFacingError("setting_presets_written")
    if len(name) > MAX_NAME or len(prompt) > MAX_PROMPT:
        raise UserFacingError("setting_presets_length", name_limit=MAX_NAME, limit=MAX_PROMPT)
    known = [folded(one) for one, _ in presets]
    if not prompt:
        if folded(name) not in known:
            raise UserFacingError("setting_presets_unknown", names=names_of(presets))
        return tuple(one for one in presets if folded(one[0]) != folded(name))
    if folded(name) in known:
        at = known.index(folded(name))
        return (*presets[:at], (name, prompt), *presets[at + 1 :])
    if len(presets) >= MAX_OF_CHANNEL:
        raise UserFacingError("setting_presets_number", limit=MAX_OF_CHANNEL)
    return (*presets, (name, prompt))


def names_of(presets: NamedPrompts) -> str:
    """The names in one line."""
    return ", ".join(name for name, _ in presets) or "–"
