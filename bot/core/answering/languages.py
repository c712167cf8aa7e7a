"""The language that the model is asked to answer in.

Models of few words in a language tend to answer in English. They are asked in that language, and
after the question: a system prompt would replace the one that LLaVA-1.5 was trained with, and a
question that always reads the same stays in the prefix cache.
"""

from __future__ import annotations

import re
from typing import Final

from inference.types import ModelInfo

ASK_FOR: Final = {
    "en": "Answer in English unless I ask for another language.",
    "ja": "特に指定がなければ、日本語で答えてください。",
    "de": "Antworte auf Deutsch, sofern nichts anderes verlangt ist.",
    "es": "Responde en español, salvo que se pida otra cosa.",
    "fr": "Réponds en français, sauf indication contraire.",
    "it": "Rispondi in italiano, salvo diversa indicazione.",
    "ko": "별다른 요청이 없으면 한국어로 대답해 주세요.",
    "pt": "Responda em português, salvo indicação em contrário.",
    "zh": "如无特别要求，请用中文回答。",
}
"""By code; the same as `bot.core.channel_settings.names.LANGUAGES`."""

_KANA: Final = r"\u3041-\u309f\u30a1-\u30fa\uff66-\uff9f"
_SCRIPTS: Final = (
    ("ja", re.compile(f"[{_KANA}]"), re.compile(f"[{_KANA}\u30fc\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7a3]"), re.compile(r"[\uac00-\ud7a3]")),
)
"""By code: what only this language is written with, and all its letters.

Chinese is told by nothing: Japanese has questions of its characters alone.
"""
_LATIN: Final = re.compile(r"\W*[A-Za-z][\w'’.-]*\W*", re.ASCII)


def in_its_language(question: str, model: ModelInfo, chosen: str = "") -> str:
    """Put a question to the model with the language of the answer.

    `chosen`: the language's code; empty is the question's own, where its script tells it. A model
    that does not understand the language is not asked for it.
    """
    language = chosen or _language_of(question)
    if language not in ASK_FOR or (model.languages and language not in model.languages):
        return question
    return f"{question}\n{ASK_FOR[language]}"


def _language_of(question: str) -> str:
    """The code of a language whose script nobody else uses; else empty.

    It must be what the question is put in, and not what it quotes: “What does ありがとう mean?” is
    English. So it ends in that language, and is not mostly Latin words.
    """
    words = question.split()
    is_mostly_latin = 2 * sum(map(bool, map(_LATIN.fullmatch, words))) > len(words) + 1
    last = next((letter for letter in reversed(question) if letter.isalpha()), "")
    for code, tells, letters in _SCRIPTS:
        if tells.search(question) and letters.match(last) and not is_mostly_latin:
            return code
    return ""
