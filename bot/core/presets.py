"""Questions with a name: people choose or write the name, and the model gets the prompt."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.errors import ConfigurationError
from bot.texts import LANGUAGES, language_of, say
from bot.values.cleaning import clean_name, clean_words

BUILT_IN: Final = {
    "preset_alt_text": "preset_alt_text_prompt",
    "preset_read": "preset_read_prompt",
    "preset_chart": "preset_chart_prompt",
    "preset_sign": "preset_sign_prompt",
    "preset_compare": "preset_compare_prompt",
}
"""Name → prompt, both keys of sentences."""
READ_THE_TEXT: Final = "preset_read"
_FORMER_NAMES: Final = ("Read this",)
MAX_NAME: Final = 75
MAX_PROMPT: Final = 2000
MAX_PRESETS: Final = 20
MAX_BYTES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Preset:
    """A question that the team often asks."""

    name: str
    prompt: str = field(repr=False)
    language: str = ""
    """Of those who are offered it; empty is everybody."""
    channels: frozenset[str] = frozenset()
    """The platforms' ids of the channels where it is offered; none is everywhere."""


class Presets:
    """The team's own, then those of the bot. Lives as long as the bot."""

    def __init__(self, own: Iterable[Preset] = ()) -> None:
        self._own = tuple(own)
        built_in = (
            Preset(say(language, name), say(language, prompt), language)
            for language in LANGUAGES
            for name, prompt in BUILT_IN.items()
        )
        self._all = (*self._own, *built_in)
        self._reading = {
            folded(name)
            for language in LANGUAGES
            for name in (say(language, READ_THE_TEXT), *_FORMER_NAMES)
        } - {folded(one.name) for one in self._own}
        # The team's own come first where names are the same.
        former = {folded(name): say("en", BUILT_IN[READ_THE_TEXT]) for name in _FORMER_NAMES}
        self._prompts = former | {folded(one.name): one.prompt for one in reversed(self._all)}

    def names(self, locale: str, channel: str = "") -> list[str]:
        """What somebody of this language is offered in a channel, the team's own first."""
        language = language_of(locale)
        offered = [
            one.name
            for one in self._all
            if one.language in {"", language} and (not one.channels or channel in one.channels)
        ]
        first = {folded(name): name for name in reversed(offered)}
        return [name for name in dict.fromkeys(offered) if first[folded(name)] == name]

    def with_own(self, own: Sequence[tuple[str, str]]) -> Presets:
        """With (name, prompt) of a channel's own before them."""
        if not own:
            return self
        return Presets((*(Preset(name, prompt) for name, prompt in own), *self._own))

    def prompt_of(self, question: str) -> str:
        """The prompt, if a question is the name of a preset in any language; else the question."""
        return self._prompts.get(folded(question), question)

    def asks_for_text(self, question: str) -> bool:
        """Whether a question is the name of the preset that wants a picture's text itself."""
        return folded(question) in self._reading


def folded(name: str) -> str:
    """What names that count as the same have in common."""
    words = unicodedata.normalize("NFKC", name).casefold().split()
    return " ".join(words).strip(" .!?。")


def load_presets(path: Path | None) -> Presets:
    """Read the team's own from a TOML file: ``[[preset]]`` with ``name`` and ``prompt``.

    Raises: ConfigurationError: one sentence.
    """
    if path is None:
        return Presets()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"PRESETS_FILE: {path} is larger than {MAX_BYTES} bytes.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigurationError(f"PRESETS_FILE: {path} cannot be read ({reason}).") from None
    except ValueError as exc:  # no TOML, or no UTF-8
        raise ConfigurationError(f"PRESETS_FILE: {path} is no TOML ({exc}).") from None
    rows = data.get("preset", [])
    if set(data) - {"preset"} or not isinstance(rows, list) or len(rows) > MAX_PRESETS:
        raise ConfigurationError(
            f"PRESETS_FILE: {path} must hold at most {MAX_PRESETS} tables [[preset]], nothing else."
        )
    return Presets(_preset(path, number, row) for number, row in enumerate(rows, start=1))


def _preset(path: Path, number: int, row: object) -> Preset:
    where = f"PRESETS_FILE: {path}: preset {number}"
    known = {"name", "prompt", "language", "channels"}
    if not isinstance(row, dict) or set(row) - known or not {"name", "prompt"} <= set(row):
        raise ConfigurationError(f"{where} needs a name and a prompt, and may have a language.")
    channels = row.get("channels", [])
    if not all(isinstance(value, str) for key, value in row.items() if key != "channels"):
        raise ConfigurationError(f"{where}: name, prompt and language are texts.")
    if not isinstance(channels, list) or not all(isinstance(one, str) for one in channels):
        raise ConfigurationError(f"{where}: channels is a list of the platforms' ids.")
    name, prompt = clean_name(row["name"]).strip(), clean_words(row["prompt"]).strip()
    if not 0 < len(name) <= MAX_NAME or not 0 < len(prompt) <= MAX_PROMPT:
        raise ConfigurationError(
            f"{where}: a name has 1 to {MAX_NAME} characters, a prompt 1 to {MAX_PROMPT}."
        )
    language = row.get("language", "")
    if language not in {"", *LANGUAGES}:
        raise ConfigurationError(f"{where}: the language is one of {', '.join(LANGUAGES)}.")
    return Preset(name, prompt, language, frozenset(channels))
