"""From messages to the engine's tokens, and the pictures' pixels beside them.

A thread's tokens only grow: what the model has said is kept as the tokens it said, never tokenised
again from its text. A second tokenisation may differ, and the pages that hold the first would be
lost.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from inference.models.family import Family
from inference.pixels import PixelReader
from inference.prefix_tree import PictureSpan
from inference.rendering import Renderer
from inference.types import Message, Picture

TRANSCRIPTS = 1024
"""Answers whose tokens are kept; a thread that is older is tokenised anew, and read again."""
PIXELS = 8
"""Pictures whose pixels are kept until the vision tower has seen them."""
COUNTED = 100_000

_WORD = "x"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine reads."""

    text: str = field(repr=False)
    tokens: list[int] = field(repr=False)
    spans: tuple[PictureSpan, ...]
    pictures: tuple[Picture, ...]
    """One for each span."""


class Prompts:
    """Prepares prompts of one model. Safe from any thread."""

    def __init__(
        self, processor: Any, family: Family, device: torch.device, *, max_pictures: int
    ) -> None:
        """Take a checkpoint's processor, its family and how many pictures a prompt may hold."""
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._family = family
        self.reader = PixelReader(processor, family, device)
        self._renderer = Renderer(processor, family, max_pictures=max_pictures)
        self._placeholder = str(processor.image_token)
        self._placeholder_id = int(self._tokenizer.convert_tokens_to_ids(self._placeholder))
        # Fast tokenizers refuse to be used by two threads at once.
        self._lock = threading.Lock()
        self._lengths: OrderedDict[str, int] = OrderedDict()
        self._pixels: OrderedDict[str, dict[str, Tensor]] = OrderedDict()
        self._length_of_kind: dict[object, int] = {}
        self._transcripts: OrderedDict[tuple[str, tuple[str, ...]], tuple[list[int], str]]
        self._transcripts = OrderedDict()

    def prepare(self, messages: tuple[Message, ...]) -> Prompt:
        """Render and tokenise; a picture that is new is decoded. Raises: TooManyPictures."""
        with self._lock:
            text, pictures = self._renderer.render(messages)
            tokens = self._tokens_of(text, pictures)
        spans, at = [], 0
        for picture in pictures:
            start = tokens.index(self._placeholder_id, at)
            at = start + self._lengths_of(picture)
            spans.append(PictureSpan(start, at, picture.digest))
        return Prompt(text, tokens, tuple(spans), pictures)

    def remember(self, prompt: Prompt, said: list[int], text: str) -> None:
        """Keep the tokens of an answer, for the thread's next question.

        Args:
            prompt: that was answered.
            said: the answer's tokens, without the one that ends it.
            text: what they spell.
        """
        if not said:
            return
        with self._lock:
            key = (prompt.text, tuple(picture.digest for picture in prompt.pictures))
            self._transcripts[key] = (prompt.tokens + said, self._renderer.neutral(text))
            self._transcripts.move_to_end(key)
            while len(self._transcripts) > TRANSCRIPTS:
                self._transcripts.popitem(last=False)

    def pixels_of(self, picture: Picture) -> dict[str, Tensor]:
        """What the vision tower reads of a picture, on the CPU: see `PixelReader.read`."""
        with self._lock:
            if picture.digest not in self._pixels:
                self._look_at(picture)
            return self._pixels[picture.digest]

    def forget_pixels(self, digest: str) -> None:
        """Let go of a picture that the tower has seen."""
        with self._lock:
            self._pixels.pop(digest, None)

    def forget(self) -> None:
        """Erase every answer and every picture that is kept."""
        with self._lock:
            self._transcripts.clear()
            self._pixels.clear()

    # -- under the lock -----------------------------------------------------------------------

    def _tokens_of(self, text: str, pictures: tuple[Picture, ...]) -> list[int]:
        known = self._transcript_of(text, pictures)
        if known is not None:
            tokens, rest = known
            seen = sum(token == self._placeholder_id for token in tokens)
            new = pictures
            while seen:  # of the pictures, those that the known part holds
                seen -= self._length_of(new[0])
                new = new[1:]
            return tokens + self._expanded(self._continued(rest), new)
        special = not self._renderer.begins_itself(text)
        return self._expanded(self._tokenised(text, add_special_tokens=special), pictures)

    def _tokenised(self, text: str, *, add_special_tokens: bool) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]
        return ids

    def _continued(self, text: str) -> list[int]:
        """Tokens of a text that follows a word; at the beginning of a text they may be others."""
        word = self._tokenised(_WORD, add_special_tokens=False)
        return self._tokenised(_WORD + text, add_special_tokens=False)[len(word) :]

    def _transcript_of(
        self, text: str, pictures: tuple[Picture, ...]
    ) -> tuple[list[int], str] | None:
        """(tokens, the text after them) of the longest beginning whose tokens are kept."""
        digests = tuple(picture.digest for picture in pictures)
        best: tuple[tuple[str, tuple[str, ...]], str] | None = None
        for key, (_, answer) in self._transcripts.items():
            prompt, shown = key
            if not text.startswith(prompt) or digests[: len(shown)] != shown:
                continue
            if best is not None and len(prompt) <= len(best[0][0]):
                continue
            rest = text[len(prompt) :].lstrip()
            if answer.strip() and rest.startswith(answer.strip()):
                best = (key, rest[len(answer.strip()) :])
        if best is None:
            return None
        self._transcripts.move_to_end(best[0])
        return self._transcripts[best[0]][0], best[1]

    def _expanded(self, ids: list[int], pictures: tuple[Picture, ...]) -> list[int]:
        """The same with as many placeholders as each picture has embeddings."""
        tokens: list[int] = []
        left = iter(pictures)
        for token in ids:
            if token == self._placeholder_id:
                tokens.extend([token] * self._length_of(next(left)))
            else:
                tokens.append(token)
        return tokens

    def _lengths_of(self, picture: Picture) -> int:
        with self._lock:
            return self._length_of(picture)

    def _length_of(self, picture: Picture) -> int:
        if picture.digest not in self._lengths:
            self._look_at(picture)
        self._lengths.move_to_end(picture.digest)
        return self._lengths[picture.digest]

    def _look_at(self, picture: Picture) -> None:
        pixels = self.reader.read(picture)
        sizes, values = pixels.get("image_sizes"), pixels["pixel_values"]
        is_to_be_resized = values.dtype == torch.uint8
        kind = None if is_to_be_resized else (tuple(values.shape), str(sizes))
        if kind not in self._length_of_kind:
            # Only the whole processor knows how many placeholders pixels of this size take.
            image = self._family.picture_for(picture, self._processor)
            ids = self._processor(text=self._placeholder, images=[image])["input_ids"]
            self._length_of_kind[kind] = sum(token == self._placeholder_id for token in ids[0])
        self._lengths[picture.digest] = self._length_of_kind[kind]
        self._pixels[picture.digest] = pixels
        while len(self._pixels) > PIXELS:
            self._pixels.popitem(last=False)
        while len(self._lengths) > COUNTED:
            self._lengths.popitem(last=False)
