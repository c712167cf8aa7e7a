"""The tokens of earlier answers, so that a thread's next prompt continues them.

A model's answer is kept as the tokens it sampled and never tokenised again from its text: the
second tokenisation may differ, and the cached pages that hold the first would not match.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TypeAlias

from cachetools import LRUCache

from inference.prompts.prompt import Prompt
from inference.scheduling.prefix_tree import PictureSpan

MAX_TRANSCRIPTS = 1024
"""Answers whose tokens are kept; a thread without one is tokenised and prefilled anew."""

Digests: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A prompt and its answer."""

    tokens: list[int] = field(repr=False)
    """Of both."""
    spans: tuple[PictureSpan, ...]
    """The prompt's pictures in `tokens`."""
    answer: str = field(repr=False)
    """Its text as a later prompt renders it, stripped."""


class Transcripts:
    """Keeps the newest transcripts. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_prompt: LRUCache[tuple[str, Digests], Transcript] = LRUCache(MAX_TRANSCRIPTS)

    def __len__(self) -> int:
        """Return how many are kept."""
        with self._lock:
            return len(self._by_prompt)

    def record(self, prompt: Prompt, answer_tokens: list[int], answer: str) -> None:
        """Keep an answer's tokens.

        Args:
            prompt: that was answered.
            answer_tokens: without the one that ends the answer.
            answer: their text, as a later prompt renders it.
        """
        transcript = Transcript(prompt.tokens + answer_tokens, prompt.spans, answer.strip())
        digests = tuple(picture.digest for picture in prompt.pictures)
        with self._lock:
            self._by_prompt[prompt.text, digests] = transcript

    def match(self, text: str, digests: Digests) -> tuple[Transcript, str] | None:
        """Find the transcript that a rendered prompt continues.

        Args:
            text: of the prompt.
            digests: of its pictures.

        Returns: (the longest transcript that it begins with, the text after it), or None.
        """
        with self._lock:
            begun = [
                (prompt, shown)
                for prompt, shown in self._by_prompt
                if text.startswith(prompt) and digests[: len(shown)] == shown
            ]
            for key in sorted(begun, key=lambda key: len(key[0]), reverse=True):
                transcript = self._by_prompt[key]
                rest = text[len(key[0]) :].lstrip()
                if transcript.answer and rest.startswith(transcript.answer):
                    return transcript, rest[len(transcript.answer) :]
        return None

    def clear(self) -> None:
        """Erase all of them."""
        with self._lock:
            self._by_prompt.clear()
