"""From messages to a prompt's tokens, with placeholders for the pictures' embeddings."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from cachetools import LRUCache

from inference.models.family import Family
from inference.prompts.pixel_store import PixelStore
from inference.prompts.prompt import Prompt
from inference.prompts.rendering import Renderer
from inference.prompts.transcripts import Transcripts
from inference.scheduling.prefix_tree import PictureSpan
from inference.types import Message, Picture

MAX_SPACES = 100_000
"""Pictures whose number of placeholders is kept."""

_WORD = "x"


@dataclass(frozen=True, slots=True)
class PictureSpace:
    """What a picture takes of a prompt."""

    num_placeholders: int
    grid: tuple[int, int] | None = None
    """See `PictureSpan.grid`."""


class PromptBuilder:
    """Builds the prompts of one model. Safe from any thread."""

    def __init__(
        self, processor: Any, family: Family, pixels: PixelStore, *, max_pictures: int
    ) -> None:
        """Take a checkpoint's processor, its family and the most pictures per prompt."""
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._family = family
        self._pixels = pixels
        self._renderer = Renderer(processor, family, max_pictures=max_pictures)
        self.transcripts = Transcripts()
        self._placeholder = str(processor.image_token)
        self.placeholder_id = int(self._tokenizer.convert_tokens_to_ids(self._placeholder))
        """The token that stands for one embedding of a picture."""
        # Fast tokenizers refuse to be used by two threads at once.
        self._tokenizing = threading.Lock()
        # Guards the spaces; never held while a picture is decoded or a text tokenised.
        self._lock = threading.Lock()
        self._spaces: LRUCache[str, PictureSpace] = LRUCache(MAX_SPACES)
        self._length_of_kind: dict[object, int] = {}

    def build(self, messages: tuple[Message, ...]) -> Prompt:
        """Render and tokenise messages; new pictures are preprocessed. Raises: TooManyPictures."""
        # Called twice per request: to measure the prompt, then to submit it. The second call costs
        # a follow-up 1 ms at 2,000 tokens and 10 ms at 16,000, on a thread of its own: too little
        # to keep people's messages in a cache for.
        text, pictures = self._renderer.render(messages)
        match = self.transcripts.match(text, tuple(picture.digest for picture in pictures))
        if match is None:
            special = not self._renderer.has_bos(text)
            ids = self._tokenize(text, add_special_tokens=special)
            tokens: list[int] = []
            spans: tuple[PictureSpan, ...] = ()
        else:
            transcript, rest = match
            ids = self._tokenize_continuation(rest)
            tokens, spans = list(transcript.tokens), transcript.spans
        spans += self._expand(tokens, ids, pictures[len(spans) :])
        return Prompt(text, tokens, spans, pictures)

    def record_answer(self, prompt: Prompt, answer_tokens: list[int], answer: str) -> None:
        """Keep an answer's tokens for the thread's next prompt.

        Args:
            prompt: that was answered.
            answer_tokens: without the one that ends the answer.
            answer: their text.
        """
        if answer_tokens:
            self.transcripts.record(prompt, answer_tokens, self._renderer.escape(answer))

    def clear(self) -> None:
        """Erase every recorded answer, and the pixels that no waiting prompt holds."""
        self.transcripts.clear()
        self._pixels.clear()

    def _tokenize(self, text: str, *, add_special_tokens: bool) -> list[int]:
        with self._tokenizing:
            ids: list[int] = self._tokenizer(text, add_special_tokens=add_special_tokens)[
                "input_ids"
            ]
        return ids

    def _tokenize_continuation(self, text: str) -> list[int]:
        """Tokenise text that follows a word; at the beginning of a text its tokens may differ."""
        word = self._tokenize(_WORD, add_special_tokens=False)
        return self._tokenize(_WORD + text, add_special_tokens=False)[len(word) :]

    def _expand(
        self, tokens: list[int], ids: list[int], pictures: tuple[Picture, ...]
    ) -> tuple[PictureSpan, ...]:
        """Append ids to tokens, with as many placeholders as each picture has embeddings.

        Returns: the pictures' spans.
        """
        spans = []
        remaining = iter(pictures)
        for token in ids:
            if token == self.placeholder_id:
                picture = next(remaining)
                start = len(tokens)
                space = self._space_of(picture)
                tokens.extend([token] * space.num_placeholders)
                spans.append(PictureSpan(start, len(tokens), picture.digest, space.grid))
            else:
                tokens.append(token)
        return tuple(spans)

    def _space_of(self, picture: Picture) -> PictureSpace:
        with self._lock:
            known = self._spaces.get(picture.digest)
        if known is not None:
            return known
        space = self._measure(picture)
        with self._lock:
            self._spaces[picture.digest] = space
        return space

    def _measure(self, picture: Picture) -> PictureSpace:
        """Return the space a picture takes: the same for all pixels of its kind."""
        pixels = self._pixels.get(picture)
        grid = self._family.grid_of(pixels, self._processor)
        if grid is not None:
            return PictureSpace(grid[0] * grid[1], grid)
        values = pixels["pixel_values"]
        # Pixels in bytes are resized on the device, all to the same size.
        is_resized_later = values.dtype == torch.uint8
        kind = None if is_resized_later else (tuple(values.shape), str(pixels.get("image_sizes")))
        length = self._length_of_kind.get(kind)
        if length is None:
            # Only the whole processor knows how many placeholders pixels of this kind take.
            image = self._family.picture_for(picture, self._processor)
            with self._tokenizing:
                ids = self._processor(text=self._placeholder, images=[image])["input_ids"]
            length = sum(token == self.placeholder_id for token in ids[0])
            self._length_of_kind[kind] = length
        return PictureSpace(length)
