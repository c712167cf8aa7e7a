"""Finds out at start-up which messages a chat template takes.

Templates differ in what they expect: content as a list or a string, pictures as parts or as
placeholders in the text, a system role or none, alternating roles. We render a template with words
that nothing else contains, in one dialect after the other. The first one that shows each word once,
and each picture's placeholder, is the template's dialect.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from inference.errors import ModelUnavailable, safe_traceback
from inference.models.chat_template import Content, Dialect, render, template_of
from inference.types import Message, Picture, Role

log = logging.getLogger(__name__)

SYSTEM_WORD = "Wordnull"
WORDS = ("Wordeins", "Wordzwei", "Worddrei")
# A word in the repr of a list of parts, from a template that takes the list for a text.
IN_REPR = re.compile(r"""['"]text['"]\s*:\s*['"]Word""")
# Attributes in which processors keep a picture's placeholder.
PLACEHOLDERS = ("image_token", "boi_token")
MAX_QUOTED = 160

_PICTURE = Picture(digest="", data=b"", width_px=1, height_px=1)


def dialect_of(processor: Any, *, name: str, max_pictures: int) -> Dialect:
    """Find the dialect of a checkpoint's chat template.

    Args:
        processor: the checkpoint's, complete.
        name: what people call the model.
        max_pictures: most pictures per prompt.

    Raises:
        ModelUnavailable: there is no template, or it works in no dialect.
    """
    template = template_of(processor)
    if template is None:
        raise ModelUnavailable(
            f"The model '{name}' has no chat template, and its prompt format is not known here: "
            "put the chat_template.jinja of the model it was made from beside its config.json."
        )
    probe = _Probe(processor, several=max_pictures > 1)
    dialect = probe.find_dialect(Dialect(template=template, placeholder=probe.placeholder))
    if dialect is None:
        raise _unusable(name, probe.error)
    dialect = replace(dialect, merges=not probe.shows(dialect, _user(WORDS[0]), _user(WORDS[1])))
    system = Message(role=Role.SYSTEM, text=SYSTEM_WORD)
    for shape in (Content.PARTS, Content.STRING):
        with_system = replace(dialect, system=shape)
        # With a picture: some templates take the one or the other.
        if probe.shows(with_system, system, _user(WORDS[0], pictures=1), *_rest()):
            return with_system
    return replace(dialect, system=None)


class _Probe:
    """Renders one template and examines the prompts."""

    def __init__(self, processor: Any, *, several: bool) -> None:
        self._processor = processor
        self._several = several
        found = (getattr(processor, attribute, None) for attribute in PLACEHOLDERS)
        self._placeholders = tuple(str(token) for token in found if token)
        # Where both exist (Gemma), the processor expands the one that begins a picture.
        self.placeholder = self._placeholders[-1] if self._placeholders else "<image>"
        self.error: Exception | None = None

    def find_dialect(self, plain: Dialect) -> Dialect | None:
        """Return the first dialect that shows questions, answers and pictures, if any does."""
        dialects = [
            replace(plain, user=user, assistant=assistant)
            for user in Content
            for assistant in (Content.PARTS, Content.STRING)
        ]
        for dialect in dialects:
            if self._shows_pictures(dialect) and self._shows_a_conversation(dialect):
                return dialect
        return None

    def shows(self, dialect: Dialect, *messages: Message) -> bool:
        """Whether a prompt shows all messages, in order."""
        prompt = self._rendered(dialect, *messages)
        return prompt is not None and _shows_each_once(prompt, [m.text for m in messages])

    def _shows_a_conversation(self, dialect: Dialect) -> bool:
        """Whether a picture is shown, no matter which question it belongs to."""
        first = (_user(WORDS[0], pictures=1), *_rest())
        later = (_user(WORDS[0]), *_rest(pictures=1))
        both = (_user(WORDS[0], pictures=1), *_rest(pictures=1))
        prompts = [self._rendered(dialect, *messages) for messages in (first, later, both)]
        shown = [prompt for prompt in prompts[: 2 + self._several] if prompt is not None]
        if len(shown) < 2 + self._several:
            return False
        if not all(_shows_each_once(prompt, WORDS) for prompt in shown):
            return False
        return self._has_placeholders(shown, [1, 1, 2][: len(shown)])

    def _shows_pictures(self, dialect: Dialect) -> bool:
        """Whether each picture adds a placeholder before the question, and nothing after it."""
        prompts: list[str] = []
        for num_pictures in range(2 + self._several):
            prompt = self._rendered(dialect, _user(WORDS[0], pictures=num_pictures))
            if prompt is None or not _shows_each_once(prompt, WORDS[:1]):
                return False
            prompts.append(prompt)
        if not self._placeholders:
            return True
        grown = [len(more) - len(fewer) for fewer, more in pairwise(prompts)]
        ends = {prompt.partition(WORDS[0])[2] for prompt in prompts}
        return (
            # The first one may replace a space: SmolVLM's "User: text", "User:<image>text".
            len({*grown[1:]}) <= 1 == len(ends)
            and min(grown) > 0
            and self._has_placeholders(prompts, list(range(len(prompts))))
        )

    def _has_placeholders(self, prompts: Sequence[str], expected: list[int]) -> bool:
        """Whether prompts contain the expected numbers of placeholders, of any one kind."""
        if not self._placeholders:
            return True  # the processor itself knows where pictures go
        # Some processors expand another token of the vocabulary than those they have a name for.
        # If we take the wrong one, the first answer shows it.
        tokens = (*self._placeholders, *self._processor.tokenizer.get_added_vocab())
        return any([prompt.count(token) for prompt in prompts] == expected for token in tokens)

    def _rendered(self, dialect: Dialect, *messages: Message) -> str | None:
        try:
            return render(self._processor, messages, dialect)
        except Exception as exc:  # noqa: BLE001 - a template is a program and raises what it likes
            self.error = self.error or exc
            return None


def _unusable(name: str, error: Exception | None) -> ModelUnavailable:
    why = ""
    if error is not None:
        log.error("the chat template has failed: %s", safe_traceback(error))
        # The template's own words may be shown: there is no user text yet.
        what = next(iter(str(error).strip().splitlines()), "")[:MAX_QUOTED]
        why = f" ({type(error).__name__}: {what})"
    return ModelUnavailable(
        f"The chat template of the model '{name}' does not show questions, answers and pictures "
        f"as they are given to it{why}: replace its chat_template.jinja by that of the model it "
        "was made from."
    )


def _user(text: str, *, pictures: int = 0) -> Message:
    return Message(role=Role.USER, text=text, pictures=(_PICTURE,) * pictures)


def _rest(*, pictures: int = 0) -> tuple[Message, Message]:
    answer = Message(role=Role.ASSISTANT, text=WORDS[1])
    return answer, _user(WORDS[2], pictures=pictures)


def _shows_each_once(prompt: str, words: Sequence[str]) -> bool:
    """Whether words occur in a prompt once each, in order, and not in the repr of a list."""
    places = [prompt.find(word) for word in words]
    return (
        all(prompt.count(word) == 1 for word in words)
        and places == sorted(places)
        and IN_REPR.search(prompt) is None
    )
