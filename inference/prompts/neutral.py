"""People's text in a prompt: nothing in it is a control token, a picture's slot or a role's mark.

What counts is what a text becomes. Many tokenizers normalise a text before they look for tokens:
under NFKC ``＜ctl＞`` is ``<ctl>``, others fold case or drop what cannot be seen. So tokens and
marks are sought in the text and in what the tokenizer makes of it. Each is broken by a space: the
tokenizer keeps the halves apart, and the model still reads the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, TypeAlias

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from inference.models.family import Family
from inference.prompts.role_marks import role_marks

MAX_SPACED = 4
"""Rounds of putting spaces in; then characters go, for a tokenizer that drops spaces."""
VOCABULARY = re.compile(r"[\w\s▁]*")
"""An added token of words or white space: it steers nothing."""
_BORDER = re.compile(r"(?<=\w)(?=[^\w\s])|(?<=[^\w\s])(?=\w)")

Span: TypeAlias = tuple[int, int]
"""Characters that would be read as one: (where they begin, where a space breaks them)."""


def control_tokens_of(processor: Any) -> frozenset[str]:
    """Return the texts that a checkpoint's tokenizer or processor takes for more than text."""
    tokenizer = processor.tokenizer
    tokens = {
        *tokenizer.all_special_tokens,
        *(token.content for token in tokenizer.added_tokens_decoder.values() if token.special),
        *(token for token in tokenizer.get_added_vocab() if not VOCABULARY.fullmatch(token)),
        str(getattr(processor, "image_token", "<image>")),
    }
    return frozenset(token for token in tokens if token.strip())


class Neutraliser:
    """Breaks what one model would misread in people's text. Safe from any thread."""

    def __init__(self, processor: Any, family: Family) -> None:
        """Take a checkpoint's processor and its family."""
        tokenizer = processor.tokenizer
        tokens = control_tokens_of(processor)
        added = [t for t in tokenizer.added_tokens_decoder.values() if t.content in tokens]
        self._normalizer = tokenizer.backend_tokenizer.normalizer
        self._written = _Sieve(AddedToken(t, normalized=False, special=True) for t in tokens)
        self._read = _Sieve(added, self._normalizer)
        self._places = _characters(self._normalizer)
        marks = role_marks(lambda messages: family.render(processor, messages), tokens)
        self._marks = _pattern_of({*marks, *map(self._normal, marks)})

    def neutral(self, text: str) -> str:
        """Return the text, with a space in everything that the model would misread."""
        for tries in count():
            spans = {*self._written.spans(text), *self._read.spans(text), *self._marks_in(text)}
            if not spans:
                return text
            text = _spaced(text, spans) if tries < MAX_SPACED else _without(text, spans)
        raise AssertionError("count() does not end")

    def _normal(self, text: str) -> str:
        normal = text if self._normalizer is None else self._normalizer.normalize_str(text)
        return str(normal).strip("▁ ")

    def _marks_in(self, text: str) -> Iterator[Span]:
        if self._marks is None:
            return
        for match in self._marks.finditer(text):
            yield match.start(), match.start() + _border(match[0])
        if self._normalizer is None:
            return
        found = list(self._marks.finditer(self._normalizer.normalize_str(text)))
        places = self._places.encode(text, add_special_tokens=False).offsets if found else []
        for match in found:
            yield places[match.start()][0], places[match.start() + _border(match[0])][0]


class _Sieve:
    """Finds tokens in texts as a tokenizer does, without splitting what is between them."""

    def __init__(self, tokens: Iterable[AddedToken], normalizer: Any = None) -> None:
        self._tokenizer = Tokenizer(models.BPE(vocab={}, merges=[]))
        if normalizer is not None:
            self._tokenizer.normalizer = normalizer
        self._tokenizer.add_tokens(list(tokens))

    def spans(self, text: str) -> Iterator[Span]:
        """Yield each token that the text holds."""
        for start, end in self._tokenizer.encode(text, add_special_tokens=False).offsets:
            first = start + len(text[start:end]) - len(text[start:end].lstrip())
            yield first, min(first + 1, end - 1)


def _characters(normalizer: Any) -> Tokenizer:
    """A tokenizer whose tokens are single characters: their offsets lead back to the original."""
    tokenizer = Tokenizer(models.WordLevel({"": 0}, unk_token=""))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return tokenizer


def _pattern_of(marks: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern for marks, and for the same in other letters where a word begins."""
    patterns = []
    for mark in sorted(marks, key=len, reverse=True):
        if len(mark) > 1:
            pattern = r"[\s▁]+".join(map(re.escape, re.split(r"[\s▁]+", mark)))
            begin = r"(?<!\w)" if re.match(r"\w", mark) else ""
            patterns += [pattern, f"(?i:{begin}{pattern})"]
    return re.compile("|".join(patterns)) if patterns else None


def _border(mark: str) -> int:
    """Where a space breaks a mark and hurts its words least: ``USER :``, ``[ INST]``."""
    found = _BORDER.search(mark)
    return found.start() if found else 1


def _spaced(text: str, spans: Iterable[Span]) -> str:
    """The text with a space in each span; a span of one character goes."""
    single = {start for start, middle in spans if middle <= start}
    middles = {middle for start, middle in spans if middle > start}
    return "".join(
        ("" if at in single else character) if at not in middles else f" {character}"
        for at, character in enumerate(text)
    )


def _without(text: str, spans: Iterable[Span]) -> str:
    """The text without the first character of each span."""
    gone = {start for start, _ in spans}
    return "".join(character for at, character in enumerate(text) if at not in gone)
