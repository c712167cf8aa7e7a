"""From messages to the text of a prompt, on both paths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inference.errors import TooManyPictures
from inference.models import blip
from inference.models.family import Family
from inference.prompts.neutral import Neutraliser
from inference.types import Message, Picture


class Renderer:
    """Renders conversations of one model. Safe from any thread."""

    def __init__(self, processor: Any, family: Family, *, max_pictures: int) -> None:
        """Take a checkpoint's processor, its family and the most pictures per prompt."""
        self._processor = processor
        self._family = family
        self._max_pictures = max_pictures
        self._neutraliser = Neutraliser(processor, family)
        self._bos = processor.tokenizer.bos_token

    def render(self, messages: tuple[Message, ...]) -> tuple[str, tuple[Picture, ...]]:
        """Render a prompt.

        Returns: (its text, with one placeholder per picture; the pictures in order).
        Raises: TooManyPictures.
        """
        pictures = tuple(picture for message in messages for picture in message.pictures)
        if len(pictures) > self._max_pictures:
            raise TooManyPictures(len(pictures), self._max_pictures)
        prompt = self._family.render(self._processor, tuple(map(self._escaped, messages)))
        return prompt, pictures

    def has_bos(self, prompt: str) -> bool:
        """Whether the template has put the begin-of-sequence token there already."""
        return self._bos is not None and prompt.startswith(self._bos)

    def escape(self, text: str) -> str:
        """Return text in which nothing is a control token, a picture's placeholder or a role."""
        return self._neutraliser.neutral(text)

    def _escaped(self, message: Message) -> Message:
        return replace(message, text=self.escape(message.text))


def stop_ids_of(weights: Any, processor: Any) -> frozenset[int]:
    """Return the tokens that end an answer of a model that transformers has loaded."""
    stop = weights.generation_config.eos_token_id
    ids = stop if isinstance(stop, list) else [stop]
    ends = (*ids, processor.tokenizer.eos_token_id, blip.end_token_of(weights.config))
    return frozenset(i for i in ends if i is not None)
