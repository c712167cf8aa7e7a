"""Questions with choices, in the words of LLaVA's authors, and the letter that an answer means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from string import ascii_uppercase

DIRECTLY = "Answer with the option's letter from the given choices directly."
"""Source: docs/Evaluation.md and llava/eval/model_vqa_science.py of haotian-liu/LLaVA."""

MAX_CHOICES = len(ascii_uppercase)

_ALONE = re.compile(r"[\s*_(\[\"'`]*([A-Z])[\s*_)\]\"'`.:,]*", re.IGNORECASE)
_FIRST = re.compile(r"[\s*_(\[]*([A-Z])[*_]*[).:\]][*_]*(?:\s|$)")
_SAID = re.compile(r"(?i:\b(?:answer|option|choice)\s*(?:is|:))\s*[*_(\[\"'`]*([A-Z])\b(?!['’])")


def prompt_of(question: str, choices: Sequence[str], context: str) -> str:
    """The question as LLaVA was shown it: context if there is any, question, a line per choice."""
    lines = [f"Context: {context}"] if context else []
    lines.append(question)
    lines += [
        f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False)
    ]
    return "\n".join([*lines, DIRECTLY])


def picked(text: str, choices: Sequence[str]) -> int | None:
    """The choice that an answer means, counted from 0; None if it means none, or one too far.

    As LLaVA's authors read it (`B`, `B. west`, `The answer is B`), and also `(B)`, `**B**`, `b` and
    the words of a choice.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    for pattern in (_ALONE.fullmatch, _FIRST.match, _SAID.search):
        if (found := pattern(text)) is not None:
            index = ascii_uppercase.index(found[1].upper())
            return index if index < len(choices) else None
    words = [_plain(choice) for choice in choices]
    said = _plain(text)
    return words.index(said) if words.count(said) == 1 else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip().rstrip(".。").strip()
