"""What was found in a picture."""

from __future__ import annotations

from dataclasses import dataclass

from inference.pocket.seeing.places import Edges, place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Things of one name. Names are indices into `Vocabulary.names`, colours into COLOURS."""

    name: int
    boxes: tuple[Edges, ...]
    """Where each is: left, top, right, bottom as shares of the picture's sides."""
    colours: tuple[int, ...] = ()
    """None, one or two."""

    @property
    def count(self) -> int:
        """How many were found."""
        return len(self.boxes)

    @property
    def place(self) -> tuple[int, ...]:
        """Where they are, as indices into PLACES; empty where they are not together."""
        return place_of(self.boxes)

    @property
    def area(self) -> float:
        """The largest one's share of the picture."""
        return max((b[2] - b[0]) * (b[3] - b[1]) for b in self.boxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One picture."""

    first: int
    """The likeliest name of the main thing."""
    sure: float
    """How likely it is, 0 to 1."""
    second: int
    """The next one."""
    kind: int
    """The narrowest kind that is sure enough, or else the likeliest name's."""
    kind_sure: float
    colours: tuple[int, ...]
    """The main thing's one or two."""
    background: int
    """The background's colour."""
    things: tuple[Thing, ...] = ()
    """What was found and placed; the main thing first, if it is among them."""
    hints: tuple[int, ...] = ()
    """Names of what may be there: too weak to be said unasked."""
    drawn: bool = False
    """A graphic on a plain ground, whose things are all that it shows."""
    masses: tuple[float, ...] = ()
    """For each kind, how likely the main thing is one; empty for a graphic."""
