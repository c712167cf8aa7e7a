"""What users should know of the model: its limitations and the languages it understands."""

from __future__ import annotations

import re
from typing import Final

from bot.texts import language_of, say
from inference.types import Limitation, ModelInfo

_SENTENCES: Final = {
    Limitation.MAIN_SUBJECT_ONLY: "pocket_is_small",
    Limitation.NO_TEXT: "reads_no_text",
    Limitation.NO_SMALL_TEXT: "reads_no_small_text",
    Limitation.ONE_PICTURE: "mixes_up_pictures",
    Limitation.FEW_WORDS: "answers_in_few_words",
    Limitation.CAPTION_ONLY: "only_captions",
}
_OF_READING: Final = {Limitation.NO_TEXT, Limitation.NO_SMALL_TEXT}
_READING: Final = re.compile(
    r"\b(read|transcribe|ocr|text|written|lettering|subtitles?)\b|\bsays?\W*$"
    r"|読(んで|め|み)|文字|書(いて|かれて)|テキスト",
    re.IGNORECASE,
)
"""Words of a question that asks for what is written in a picture. A note too many does no harm."""
_LANGUAGE_SENTENCES: Final[dict[tuple[str, ...], str]] = {
    ("en",): "english_only",
    ("en", "ja"): "english_and_japanese",
}


def limitations(model: ModelInfo, locale: str, *, reads_pictures: bool = False) -> list[str]:
    """Return one sentence for each thing the model does badly or not at all.

    `reads_pictures`: text in pictures is read for it.
    """
    keys = [
        _SENTENCES[limitation]
        for limitation in model.limitations
        if not (reads_pictures and limitation in _OF_READING)
    ]
    if model.languages:
        keys.append(_LANGUAGE_SENTENCES[model.languages])
    return [say(locale, key) for key in keys]


def notes_on(
    model: ModelInfo,
    question: str,
    num_pictures: int,
    locale: str,
    *,
    reads_pictures: bool = False,
) -> list[str]:
    """Return what to say under an answer that asked for what the model cannot do.

    `num_pictures`: that the model was shown. `reads_pictures`: see `limitations`.
    """
    notes = []
    cannot_read = Limitation.NO_TEXT in model.limitations and not reads_pictures
    if cannot_read and num_pictures and asks_to_read(question):
        notes.append(say(locale, "note_reads_no_text"))
    if Limitation.ONE_PICTURE in model.limitations and num_pictures > 1:
        notes.append(say(locale, "note_mixes_up_pictures"))
    return notes


def asks_to_read(question: str) -> bool:
    """Whether a question asks for what is written in a picture."""
    return _READING.search(question) is not None


def reads_text(model: ModelInfo | None, *, reads_pictures: bool = False) -> bool:
    """Whether a model can be asked what is written in a picture; `None`, while it loads: no."""
    return model is not None and (reads_pictures or Limitation.NO_TEXT not in model.limitations)


def question_locale(model: ModelInfo | None, locale: str) -> str:
    """Return the locale to put a question to the model in: the user's if it understands it.

    `model`: `None` while it loads.
    """
    if model is None or not model.languages or language_of(locale) in model.languages:
        return locale
    return model.languages[0]
