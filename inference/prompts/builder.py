"""From messages to a prompt's tokens, with placeholders for the pictures' embeddings."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import torch
from cachetools import LRUCache

from inference.models.family import Family
from inference.prompts.pixel_store import Pixels, PixelStore
from inference.prompts.prompt import Prompt
from inference.prompts.rendering import Renderer
from inference.prompts.transcripts import Transcripts
from inference.scheduling.prefix_tree import PictureSpan
from inference.types import Message, Picture

MAX_SPACES = 100_000
"""Pictures whose tokens are kept."""
SMALL_VALUES = 8
"""Tensors of so few values (sizes, rows and columns) tell pictures of different kinds apart."""

_WORD = "x"


Runs: TypeAlias = tuple[tuple[int, int], ...]
"""Tokens in order: (token, how often)."""


@dataclass(frozen=True, slots=True)
class PictureSpace:
    """What a picture takes of a prompt."""

    runs: Runs
    """Placeholders, and the marks that its family writes around and between them."""
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
        self._rendered_picture = str(processor.image_token)
        self._picture_text = family.picture_text(processor)
        placeholder = family.placeholder(processor)
        self.placeholder_id = int(self._tokenizer.convert_tokens_to_ids(placeholder))
        """The token that stands for one embedding of a picture."""
        # Fast tokenizers refuse to be used by two threads at once.
        self._tokenizing = threading.Lock()
        # Guards the spaces; never held while a picture is decoded or a text tokenised.
        self._lock = threading.Lock()
        self._spaces: LRUCache[str, PictureSpace] = LRUCache(MAX_SPACES)
        self._runs_of_kind: dict[object, Runs] = {}
        self._around = self._tokens_around_placeholder()

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
        """Tokenise rendered text; every picture in it becomes one placeholder."""
        text = text.replace(self._rendered_picture, self._picture_text)
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
        """Append ids to tokens, each placeholder replaced by its picture's tokens.

        Returns: the pictures' spans.
        """
        spans = []
        remaining = iter(pictures)
        for token in ids:
            if token != self.placeholder_id:
                tokens.append(token)
                continue
            picture = next(remaining)
            space = self._space_of(picture)
            ends = []
            for one, count in space.runs:
                if one == token:
                    ends += [len(tokens), len(tokens) + count]
                tokens.extend([one] * count)
            spans.append(
                PictureSpan(
                    ends[0],
                    ends[-1],
                    picture.digest,
                    space.grid,
                    is_whole=self._family.attends_both_ways,
                )
            )
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
            return PictureSpace(((self.placeholder_id, grid[0] * grid[1]),), grid)
        kind = _kind_of(pixels)
        runs = self._runs_of_kind.get(kind)
        if runs is None:
            # Only the whole processor knows which tokens pixels of this kind take.
            image = self._family.picture_for(picture, self._processor)
            with self._tokenizing:
                (ids,) = self._processor(
                    text=[self._rendered_picture], images=[image], add_special_tokens=False
                )["input_ids"]
            before, behind = self._around
            own = ids[before : len(ids) - behind]
            # Pixtral's processor returns tensors, asked or not.
            runs = self._runs_of_kind[kind] = _runs_of(int(token) for token in own)
        return PictureSpace(runs)

    def _tokens_around_placeholder(self) -> tuple[int, int]:
        """Return how many tokens a tokenizer adds before and behind a lone placeholder."""
        ids = self._tokenize(self._rendered_picture, add_special_tokens=False)
        at = ids.index(self.placeholder_id)
        return at, len(ids) - at - 1


def _kind_of(pixels: Pixels) -> object:
    """Return what the tokens of a picture depend on: the shapes of its tensors, and its sizes."""
    values = pixels["pixel_values"]
    if values.dtype == torch.uint8:
        return None  # they are resized on the device, all to the same size
    kind: list[object] = []
    for name, tensor in sorted(pixels.items()):
        kind += [name, *tensor.shape]
        if tensor.numel() <= SMALL_VALUES:
            kind += tensor.flatten().tolist()
    return tuple(kind)


def _runs_of(ids: Iterable[int]) -> Runs:
    return tuple((token, sum(1 for _ in same)) for token, same in groupby(ids))
