"""From messages to the engine's tokens, and the pictures' pixels beside them.

A thread's tokens only grow: what the model has said is kept as the tokens it said, never tokenised
again from its text. A second tokenisation may differ, and the pages that hold the first would be
lost.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from inference.models.family import Family
from inference.prompts.preprocessing import ImagePreprocessor
from inference.prompts.rendering import Renderer
from inference.scheduling.prefix_tree import PictureSpan
from inference.types import Message, Picture

TRANSCRIPTS = 1024
"""Answers whose tokens are kept; a thread that is older is tokenised anew, and read again."""
PIXELS = 8
"""Pictures whose pixels are kept for whoever measures a prompt first and asks then."""
HOLDING = 32
"""Pictures whose pixels prompts hold; other prompts' are decoded when it is their turn."""
COUNTED = 100_000

_WORD = "x"


@dataclass(eq=False, slots=True, weakref_slot=True)
class Pixels:
    """What the vision tower reads of a prompt's pictures, until it has seen them."""

    by_digest: dict[str, dict[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine reads."""

    text: str = field(repr=False)
    tokens: list[int] = field(repr=False)
    spans: tuple[PictureSpan, ...]
    pictures: tuple[Picture, ...]
    """One for each span."""
    pixels: Pixels = field(default_factory=Pixels, repr=False)


@dataclass(frozen=True, slots=True)
class _Transcript:
    """A prompt that was answered, and its answer."""

    tokens: list[int]
    spans: tuple[PictureSpan, ...]
    answer: str
    """As a prompt shows it."""


class Prompts:
    """Prepares prompts of one model. Safe from any thread."""

    def __init__(
        self, processor: Any, family: Family, device: torch.device, *, max_pictures: int
    ) -> None:
        """Take a checkpoint's processor, its family and how many pictures a prompt may hold."""
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._family = family
        self.reader = ImagePreprocessor(processor, family, device)
        self._renderer = Renderer(processor, family, max_pictures=max_pictures)
        self._placeholder = str(processor.image_token)
        self._placeholder_id = int(self._tokenizer.convert_tokens_to_ids(self._placeholder))
        # Fast tokenizers refuse to be used by two threads at once.
        self._tokenizing = threading.Lock()
        # Of what is kept below; never held while a picture is decoded or a text tokenised.
        self._lock = threading.Lock()
        self._lengths: OrderedDict[str, int] = OrderedDict()
        self._pixels: OrderedDict[str, dict[str, Tensor]] = OrderedDict()
        self._length_of_kind: dict[object, int] = {}
        self._transcripts: OrderedDict[tuple[str, tuple[str, ...]], _Transcript] = OrderedDict()
        self._holding: weakref.WeakSet[Pixels] = weakref.WeakSet()
        self._times_forgotten = 0

    def prepare(self, messages: tuple[Message, ...]) -> Prompt:
        """Render and tokenise; a picture that is new is decoded. Raises: TooManyPictures."""
        text, pictures = self._renderer.render(messages)
        known = self._transcript_of(text, pictures)
        if known is None:
            special = not self._renderer.begins_itself(text)
            ids = self._tokenised(text, add_special_tokens=special)
            tokens: list[int] = []
            spans: tuple[PictureSpan, ...] = ()
        else:
            transcript, rest = known
            ids = self._continued(rest)
            tokens, spans = list(transcript.tokens), transcript.spans
        spans += self._expand(tokens, ids, pictures[len(spans) :])
        return Prompt(text, tokens, spans, pictures)

    def hold_pixels(self, prompt: Prompt, pictures: Iterable[Picture]) -> None:
        """Decode a prompt's pictures ahead of its turn, if not too many wait for theirs."""
        with self._lock:
            if sum(len(pixels.by_digest) for pixels in self._holding) >= HOLDING:
                return
            self._holding.add(prompt.pixels)
        for picture in pictures:
            prompt.pixels.by_digest[picture.digest] = self.pixels_of(picture)

    def take_pixels(self, prompt: Prompt, picture: Picture) -> dict[str, Tensor] | None:
        """What a prompt holds of a picture; it holds it no longer."""
        return prompt.pixels.by_digest.pop(picture.digest, None)

    def release_pixels(self, prompt: Prompt) -> None:
        """Let go of what a prompt still holds: it was read, be it in pages that others had read."""
        prompt.pixels.by_digest.clear()
        with self._lock:
            self._holding.discard(prompt.pixels)

    def remember(self, prompt: Prompt, said: list[int], text: str) -> None:
        """Keep the tokens of an answer, for the thread's next question.

        Args:
            prompt: that was answered.
            said: the answer's tokens, without the one that ends it.
            text: what they spell.
        """
        if not said:
            return
        key = (prompt.text, tuple(picture.digest for picture in prompt.pictures))
        answer = self._renderer.neutral(text).strip()
        with self._lock:
            self._transcripts[key] = _Transcript(prompt.tokens + said, prompt.spans, answer)
            self._transcripts.move_to_end(key)
            while len(self._transcripts) > TRANSCRIPTS:
                self._transcripts.popitem(last=False)

    def pixels_of(self, picture: Picture) -> dict[str, Tensor]:
        """A picture's pixels, on the CPU: see `ImagePreprocessor.preprocess`."""
        with self._lock:
            found = self._pixels.get(picture.digest)
        return self._look_at(picture) if found is None else found

    def forget_pixels(self, digest: str) -> None:
        """Let go of a picture that the tower has seen."""
        with self._lock:
            self._pixels.pop(digest, None)

    def forget(self) -> None:
        """Erase every answer and every picture that is kept; one being decoded is not kept then."""
        with self._lock:
            self._times_forgotten += 1
            self._transcripts.clear()
            self._pixels.clear()

    def _tokenised(self, text: str, *, add_special_tokens: bool) -> list[int]:
        with self._tokenizing:
            ids: list[int] = self._tokenizer(text, add_special_tokens=add_special_tokens)[
                "input_ids"
            ]
        return ids

    def _continued(self, text: str) -> list[int]:
        """Tokens of a text that follows a word; at the beginning of a text they may be others."""
        word = self._tokenised(_WORD, add_special_tokens=False)
        return self._tokenised(_WORD + text, add_special_tokens=False)[len(word) :]

    def _transcript_of(
        self, text: str, pictures: tuple[Picture, ...]
    ) -> tuple[_Transcript, str] | None:
        """(the longest beginning whose tokens are kept, the text after it)."""
        digests = tuple(picture.digest for picture in pictures)
        best: tuple[tuple[str, tuple[str, ...]], str] | None = None
        with self._lock:
            for key, transcript in self._transcripts.items():
                prompt, shown = key
                if not text.startswith(prompt) or digests[: len(shown)] != shown:
                    continue
                if best is not None and len(prompt) <= len(best[0][0]):
                    continue
                rest = text[len(prompt) :].lstrip()
                if transcript.answer and rest.startswith(transcript.answer):
                    best = (key, rest[len(transcript.answer) :])
            if best is None:
                return None
            self._transcripts.move_to_end(best[0])
            return self._transcripts[best[0]], best[1]

    def _expand(
        self, tokens: list[int], ids: list[int], pictures: tuple[Picture, ...]
    ) -> tuple[PictureSpan, ...]:
        """Append ids, with as many placeholders as each picture has embeddings.

        Returns: where the pictures stand.
        """
        spans = []
        left = iter(pictures)
        for token in ids:
            if token == self._placeholder_id:
                picture = next(left)
                start = len(tokens)
                tokens.extend([token] * self._length_of(picture))
                spans.append(PictureSpan(start, len(tokens), picture.digest))
            else:
                tokens.append(token)
        return tuple(spans)

    def _length_of(self, picture: Picture) -> int:
        with self._lock:
            known = self._lengths.get(picture.digest)
            if known is not None:
                self._lengths.move_to_end(picture.digest)
                return known
        self._look_at(picture)
        with self._lock:
            return self._lengths[picture.digest]

    def _look_at(self, picture: Picture) -> dict[str, Tensor]:
        """Decode a picture and keep what is known of it. Returns: its pixels."""
        times_forgotten = self._times_forgotten
        pixels = self.reader.preprocess(picture)
        sizes, values = pixels.get("image_sizes"), pixels["pixel_values"]
        is_to_be_resized = values.dtype == torch.uint8
        kind = None if is_to_be_resized else (tuple(values.shape), str(sizes))
        if kind not in self._length_of_kind:
            # Only the whole processor knows how many placeholders pixels of this size take.
            image = self._family.picture_for(picture, self._processor)
            with self._tokenizing:
                ids = self._processor(text=self._placeholder, images=[image])["input_ids"]
            self._length_of_kind[kind] = sum(token == self._placeholder_id for token in ids[0])
        with self._lock:
            self._lengths[picture.digest] = self._length_of_kind[kind]
            if self._times_forgotten == times_forgotten:
                self._pixels[picture.digest] = pixels
            while len(self._pixels) > PIXELS:
                self._pixels.popitem(last=False)
            while len(self._lengths) > COUNTED:
                self._lengths.popitem(last=False)
        return pixels
