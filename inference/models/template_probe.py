"""Finds out at the start how a chat template wants its messages.

Templates take for granted what others do not: a content that is a list or a string, pictures as
parts or as placeholders in the text, a system role or none, turns that alternate. A template is
rendered with words that nothing else contains, in one way after the other. The first way that
shows each word once and each picture's place is the template's dialect.
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
# A word in what a list of parts looks like where a template takes it for a text.
IN_REPR = re.compile(r"""['"]text['"]\s*:\s*['"]Word""")
# Names under which processors keep what stands for a picture in a prompt.
PLACEHOLDERS = ("image_token", "boi_token")
MAX_QUOTED = 160

_PICTURE = Picture(digest="", data=b"", width_px=1, height_px=1)


def dialect_of(processor: Any, *, name: str, max_pictures: int) -> Dialect:
    """How the chat template of a checkpoint wants its messages.

    Args:
        processor: the checkpoint's, complete.
        name: what people call the model.
        max_pictures: how many pictures a prompt may hold.

    Raises:
        ModelUnavailable: there is no template, or no way of using it works.
    """
    template = template_of(processor)
    if template is None:
        raise ModelUnavailable(
            f"The model '{name}' has no chat template, and how it is spoken to is not known here: "
            "put the chat_template.jinja of the model it was made from beside its config.json."
        )
    probe = _Probe(processor, several=max_pictures > 1)
    way = probe.way_of_talking(Dialect(template=template, placeholder=probe.placeholder))
    if way is None:
        raise _unusable(name, probe.error)
    way = replace(way, merges=not probe.shows(way, _user(WORDS[0]), _user(WORDS[1])))
    system = Message(role=Role.SYSTEM, text=SYSTEM_WORD)
    for shape in (Content.PARTS, Content.STRING):
        with_system = replace(way, system=shape)
        # With a picture: some templates take the one or the other.
        if probe.shows(with_system, system, _user(WORDS[0], pictures=1), *_rest()):
            return with_system
    return replace(way, system=None)


class _Probe:
    """Renders one template and looks at what comes out."""

    def __init__(self, processor: Any, *, several: bool) -> None:
        self._processor = processor
        self._several = several
        found = (getattr(processor, attribute, None) for attribute in PLACEHOLDERS)
        self._placeholders = tuple(str(token) for token in found if token)
        # Where both exist (Gemma), the processor puts a picture's tokens where it begins.
        self.placeholder = self._placeholders[-1] if self._placeholders else "<image>"
        self.error: Exception | None = None

    def way_of_talking(self, plain: Dialect) -> Dialect | None:
        """The first way that shows questions, answers and pictures."""
        ways = [
            replace(plain, user=user, assistant=assistant)
            for user in Content
            for assistant in (Content.PARTS, Content.STRING)
        ]
        for way in ways:
            if self._shows_pictures(way) and self._shows_a_conversation(way):
                return way
        return None

    def shows(self, way: Dialect, *messages: Message) -> bool:
        """Whether a conversation comes out whole and in its order."""
        prompt = self._rendered(way, *messages)
        return prompt is not None and _shows_each_once(prompt, [m.text for m in messages])

    def _shows_a_conversation(self, way: Dialect) -> bool:
        """Whether a picture is shown, whichever question it comes with."""
        first = (_user(WORDS[0], pictures=1), *_rest())
        later = (_user(WORDS[0]), *_rest(pictures=1))
        both = (_user(WORDS[0], pictures=1), *_rest(pictures=1))
        prompts = [self._rendered(way, *messages) for messages in (first, later, both)]
        shown = [prompt for prompt in prompts[: 2 + self._several] if prompt is not None]
        if len(shown) < 2 + self._several:
            return False
        if not all(_shows_each_once(prompt, WORDS) for prompt in shown):
            return False
        return self._holds_places(shown, [1, 1, 2][: len(shown)])

    def _shows_pictures(self, way: Dialect) -> bool:
        """Whether each picture adds its place before the question, and nothing after it."""
        prompts: list[str] = []
        for num_pictures in range(2 + self._several):
            prompt = self._rendered(way, _user(WORDS[0], pictures=num_pictures))
            if prompt is None or not _shows_each_once(prompt, WORDS[:1]):
                return False
            prompts.append(prompt)
        if not self._placeholders:
            return True
        grown = {len(more) - len(fewer) for fewer, more in pairwise(prompts)}
        ends = {prompt.partition(WORDS[0])[2] for prompt in prompts}
        return (
            len(grown) == 1 == len(ends)
            and min(grown) > 0
            and self._holds_places(prompts, list(range(len(prompts))))
        )

    def _holds_places(self, prompts: Sequence[str], expected: list[int]) -> bool:
        """Whether prompts hold so many placeholders, of whichever kind the template uses."""
        if not self._placeholders:
            return True  # the processor itself knows where pictures go
        # Some processors read another token than those they have a name for: one that the
        # vocabulary knows whole. What the first answer then lacks, it says itself.
        tokens = (*self._placeholders, *self._processor.tokenizer.get_added_vocab())
        return any([prompt.count(token) for prompt in prompts] == expected for token in tokens)

    def _rendered(self, way: Dialect, *messages: Message) -> str | None:
        try:
            return render(self._processor, messages, way)
        except Exception as exc:  # noqa: BLE001 - a template is a program and raises what it likes
            self.error = self.error or exc
            return None


def _unusable(name: str, error: Exception | None) -> ModelUnavailable:
    why = ""
    if error is not None:
        log.error("the chat template has failed: %s", safe_traceback(error))
        # The template's own words may be shown: nobody has asked anything yet.
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
    """Whether words stand in a prompt once each, in their order, and not in a list's repr."""
    places = [prompt.find(word) for word in words]
    return (
        all(prompt.count(word) == 1 for word in words)
        and places == sorted(places)
        and IN_REPR.search(prompt) is None
    )
