"""What users should know of the model: its limitations and the languages it understands."""

from __future__ import annotations

from typing import Final

from bot.texts import language_of, say
from inference.types import Limitation, ModelInfo

_SENTENCES: Final = {
    Limitation.MAIN_SUBJECT_ONLY: "pocket_is_small",
    Limitation.NO_TEXT: "reads_no_text",
    Limitation.NO_SMALL_TEXT: "reads_no_small_text",
}
_LANGUAGE_SENTENCES: Final[dict[tuple[str, ...], str]] = {("en",): "english_only"}


def limitations(model: ModelInfo, locale: str) -> list[str]:
    """Return one sentence for each thing the model does badly or not at all."""
    keys = [_SENTENCES[limitation] for limitation in model.limitations]
    if model.languages:
        keys.append(_LANGUAGE_SENTENCES[model.languages])
    return [say(locale, key) for key in keys]


def question_locale(model: ModelInfo | None, locale: str) -> str:
    """Return the locale to put a question to the model in: the user's if it understands it.

    `model`: `None` while it loads.
    """
    if model is None or not model.languages or language_of(locale) in model.languages:
        return locale
    return model.languages[0]
