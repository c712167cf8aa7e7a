"""A prompt as the engine takes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.prompts.positions import positions_saved
from inference.scheduling.prefix_tree import PictureSpan
from inference.types import Picture


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Prompt:
    """One request's prompt. Two prompts are never equal: each holds its own pictures' pixels."""

    text: str = field(repr=False)
    """As rendered, with one placeholder per picture."""
    tokens: list[int] = field(repr=False)
    """The text's tokens, with as many placeholders per picture as it has embeddings, and the marks
    that the model's family writes around and between them."""
    spans: tuple[PictureSpan, ...]
    """Where each picture's placeholders are in `tokens`."""
    pictures: tuple[Picture, ...]
    """One per span."""

    @property
    def rope_delta(self) -> int:
        """Position of a token behind all pictures, less its index; 0 without grids."""
        return sum(positions_saved(span) for span in self.spans)
