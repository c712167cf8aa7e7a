"""From messages to the text of a prompt, whichever path runs the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inference.errors import TooManyPictures
from inference.models.family import Family
from inference.types import Message, Picture


class Renderer:
    """Renders conversations of one model. Safe from any thread."""

    def __init__(self, processor: Any, family: Family, *, max_pictures: int) -> None:
        """Take a checkpoint's processor, its family and how many pictures a prompt may hold."""
        self._processor = processor
        self._family = family
        self._max_pictures = max_pictures
        self._control_tokens = sorted(
            {
                *processor.tokenizer.all_special_tokens,
                *processor.tokenizer.get_added_vocab(),
                str(getattr(processor, "image_token", "<image>")),
            },
            key=len,
            reverse=True,
        )
        self._begin = processor.tokenizer.bos_token

    def render(self, messages: tuple[Message, ...]) -> tuple[str, tuple[Picture, ...]]:
        """The prompt, one placeholder a picture, and the pictures in their order.

        Raises: TooManyPictures.
        """
        pictures = tuple(picture for message in messages for picture in message.pictures)
        if len(pictures) > self._max_pictures:
            raise TooManyPictures(len(pictures), self._max_pictures)
        prompt = self._family.render(self._processor, tuple(map(self._neutralise, messages)))
        return prompt, pictures

    def begins_itself(self, prompt: str) -> bool:
        """Whether the template has set the token that begins a text already."""
        return self._begin is not None and prompt.startswith(self._begin)

    def neutral(self, text: str) -> str:
        """A text as a prompt shows it: nothing in it is a control token, or a picture's place."""
        for token in self._control_tokens:
            if len(token) > 1:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _neutralise(self, message: Message) -> Message:
        return replace(message, text=self.neutral(message.text))


def stop_ids_of(weights: Any, processor: Any) -> frozenset[int]:
    """Tokens that end an answer of a model that transformers has loaded."""
    stop = weights.generation_config.eos_token_id
    ids = stop if isinstance(stop, list) else [stop]
    return frozenset(i for i in (*ids, processor.tokenizer.eos_token_id) if i is not None)
