"""A picture between the file that was sent and the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.types import Picture

Notes = tuple[tuple[str, dict[str, int]], ...]
"""What was done to a picture: (key of a sentence, its values)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedPicture:
    """A picture as it is stored, and what was done to it."""

    name: str = field(repr=False)
    picture: Picture
    notes: Notes = ()
