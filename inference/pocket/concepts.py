"""The named things the pocket can speak of, and where each stands in the tower's output.

`classes.json` holds the classifier's thousand classes and the kinds above them; the eleven basic
colour terms are Berlin and Kay's. A *row* is one position of the picture in the prompt; a *slot* is
the place of one token of a name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

COLOURS = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
REGIONS = ("left", "right", "top", "bottom")
NUM_SLOTS = 6  # the longest name has six tokens
# Probabilities are told as a point between two of these; dense where "sure" turns to "not sure".
BUCKETS = (0.0, 0.1, 0.2, 0.3, 0.37, 0.4, 0.43, 0.5, 0.6, 0.7, 0.85, 1.0)
SURE = 0.4  # the answers name the class from this probability on
KIND_SURE = 0.6  # and a kind, when the classes under it sum to this
REGION_SURE = 0.3
SECOND_COLOUR = 0.25  # share of the object from which a second colour is told


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedClass:
    """One class of the classifier. `phrase` has the article, `kinds` go from narrow to wide."""

    wnid: str
    name: str
    phrase: str
    synonyms: tuple[str, ...]
    kinds: tuple[str, ...]
    hypernyms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A group of classes with a name worth saying: "dog", "fruit", "vehicle"."""

    name: str
    phrase: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class Concepts:
    """Classes first, then kinds: the order of the name columns in the projector's first layer."""

    classes: tuple[NamedClass, ...]
    kinds: tuple[Kind, ...]

    @cached_property
    def names(self) -> list[str]:
        return [c.name for c in self.classes] + [k.name for k in self.kinds]

    @cached_property
    def kind_index(self) -> dict[str, int]:
        return {kind.name: i for i, kind in enumerate(self.kinds)}


@lru_cache(maxsize=1)
def load_concepts() -> Concepts:
    """Read `classes.json`, which lies beside this file."""
    data = json.loads((Path(__file__).parent / "classes.json").read_text(encoding="utf-8"))
    classes = tuple(
        NamedClass(
            wnid=c["wnid"],
            name=c["name"],
            phrase=c["phrase"],
            synonyms=tuple(c["synonyms"]),
            kinds=tuple(c["kinds"]),
            hypernyms=tuple(c["hypernyms"]),
        )
        for c in data["classes"]
    )
    kinds = tuple(
        Kind(
            name=k["name"],
            phrase=k["phrase"],
            members=tuple(i for i, c in enumerate(classes) if k["name"] in c.kinds),
        )
        for k in data["kinds"]
    )
    return Concepts(classes, kinds)


@dataclass(frozen=True, slots=True)
class Row:
    """One position of the picture in the prompt.

    `label` is the word whose vector the row starts from (None for a row that carries one slot of a
    name or a colour), `slot` which token of the name it carries.
    """

    group: str
    label: str | None = None
    slot: int = 0


def _layout() -> tuple[Row, ...]:
    rows: list[Row] = []
    for group, label in (("first", " picture"), ("second", " or"), ("kind", " kind")):
        rows.append(Row(group, label))
        rows.extend(Row(group, slot=s) for s in range(NUM_SLOTS))
    rows += [Row("colour", " colour"), Row("colour"), Row("colour", slot=1)]
    rows += [Row("background", " background"), Row("background")]
    for region in REGIONS:
        rows.append(Row(region, " " + region))
        rows.extend(Row(region, slot=s) for s in range(NUM_SLOTS))
    return tuple(rows)


ROWS = _layout()


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each block of features starts in a row.

    [slot 0: classes, kinds] … [slot 5: classes, kinds] [colours] [buckets] [blank] [row roles]
    """

    num_concepts: int

    @property
    def colours(self) -> int:
        return NUM_SLOTS * self.num_concepts

    @property
    def buckets(self) -> int:
        return self.colours + len(COLOURS)

    @property
    def blank(self) -> int:
        return self.buckets + len(BUCKETS)

    @property
    def roles(self) -> int:
        return self.blank + 1

    @property
    def num_features(self) -> int:
        return self.roles + len(ROWS)
