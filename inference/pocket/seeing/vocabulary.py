"""What the pocket can name, in English and Japanese.

The classifier's classes and their kinds (:mod:`inference.pocket.concepts`), and what `more.json`
adds: the detector's kinds, groceries, shapes and emoji.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from inference.pocket.concepts import Kind, NamedClass, load_concepts

# Wide kinds, the more telling first: "Is there an animal?"
WIDE: Final = (
    "person", "animal", "vehicle", "food", "drink", "fruit", "vegetable", "furniture", "clothing",
    "plant", "building", "weapon", "container", "tool", "toy", "flag", "face", "sign", "shape",
    "carton", "object", "musical instrument", "electronic device", "sports equipment",
)  # fmt: skip
_CUP: Final = "cup"
_VEHICLES: Final = frozenset(
    ["bus", "public transport", "car", "truck", "van", "locomotive", "bicycle", "boat", "aircraft"]
)
"""Kinds that WordNet's shortened list does not put under vehicles."""
_IRREGULAR: Final = {
    "person": "people", "knife": "knives", "mouse": "mice", "computer mouse": "computer mice",
    "sheep": "sheep", "fish": "fish", "goose": "geese", "wolf": "wolves", "shelf": "shelves",
    "loaf": "loaves", "leaf": "leaves", "ox": "oxen", "man": "men", "woman": "women",
    "child": "children", "bison": "bison", "deer": "deer", "tooth": "teeth", "foot": "feet",
    "kiwi": "kiwis",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """What something is called. `kinds` go from narrow to wide, `ja` is empty where unknown."""

    name: str
    phrase: str
    kinds: tuple[str, ...]
    ja: str
    synonyms: tuple[str, ...] = ()

    @property
    def plural(self) -> str:
        """Its name for two and more."""
        return plural(self.name)


@dataclass(frozen=True)
class Vocabulary:
    """All names: classes first, then kinds, then what `more.json` adds."""

    classes: tuple[NamedClass, ...]
    kinds: tuple[Kind, ...]
    names: tuple[Name, ...]
    coco: tuple[int, ...]
    groceries: tuple[int, ...]
    emoji: tuple[int, ...]
    shapes: tuple[int, ...]

    @cached_property
    def kind_index(self) -> dict[str, int]:
        """Where a kind stands among the kinds."""
        return {kind.name: i for i, kind in enumerate(self.kinds)}

    @cached_property
    def index(self) -> dict[str, int]:
        """Where a name stands; of two alike, the first."""
        return {name.name: i for i, name in reversed(list(enumerate(self.names)))}

    def wide(self, name: int) -> int:
        """The widest kind worth saying of a thing."""
        kinds = (self.names[name].name, *self.names[name].kinds)
        if kinds[0] == _CUP:
            kinds = ("container",)
        found = next((w for w in WIDE if w in kinds), kinds[-1])
        return self.index.get(found, self.index["object"])

    def words_for(self, name: int) -> frozenset[str]:
        """Every name that is true of a thing: its own, its synonyms, and the kinds above."""
        return self._words[name]

    @cached_property
    def _words(self) -> list[frozenset[str]]:
        return [self._words_of(index) for index in range(len(self.names))]

    def _words_of(self, name: int) -> frozenset[str]:
        known = self.names[name]
        if known.name == _CUP:  # the class is the drink, people mean what holds it
            return frozenset([_CUP, "container"])
        found = {known.name, *known.kinds, *known.synonyms, self.names[self.wide(name)].name}
        if name < len(self.classes):
            found |= set(self.classes[name].hypernyms)
        for word in tuple(found):
            found |= self._above.get(word, frozenset())
        if found & _VEHICLES:
            found.add("vehicle")
        return frozenset(word.lower() for word in found)

    @cached_property
    def _above(self) -> dict[str, frozenset[str]]:
        """The kinds that every class of a kind has."""
        kinds_of = [frozenset(c.kinds) for c in self.classes]
        return {
            kind.name: frozenset.intersection(*(kinds_of[i] for i in kind.members))
            for kind in self.kinds
            if kind.members
        }

    def is_a(self, name: int, word: str) -> bool:
        """Whether a thing is that, or a kind of it: a green apple is an apple."""
        return word in self.words_for(name) or self.names[name].name.endswith(" " + word)


def plural(name: str) -> str:
    """An English plural: "flag of Japan" -> "flags of Japan"."""
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    head, of, rest = name.partition(" of ")
    if of:
        return f"{plural(head)} of {rest}"
    if re.search(r"(s|x|z|ch|sh)$", name):
        return name if re.search(r"[^su]s$", name) else name + "es"
    if re.search(r"[^aeiou]y$", name):
        return name[:-1] + "ies"
    if re.search(r"(tomato|potato|mango)$", name):
        return name + "es"
    return name + "s"


@lru_cache(maxsize=1)
def load_vocabulary() -> Vocabulary:
    """Read `classes.json` and `more.json`."""
    concepts = load_concepts()
    classes, kinds = concepts.classes, concepts.kinds
    path = Path(__file__).parents[1] / "more.json"
    more = json.loads(path.read_text(encoding="utf-8"))
    japanese: dict[str, str] = more["ja"]
    names = [Name(c.name, c.phrase, c.kinds, japanese.get(c.name, ""), c.synonyms) for c in classes]
    names += [Name(k.name, k.phrase, (), japanese.get(k.name, "")) for k in kinds]
    known = {name.name: i for i, name in reversed(list(enumerate(names)))}
    for thing in more["things"]:
        if thing["name"] not in known:
            known[thing["name"]] = len(names)
            names.append(
                Name(thing["name"], thing["phrase"], (thing["kind"],), thing.get("ja", ""))
            )
    return Vocabulary(
        classes,
        kinds,
        tuple(names),
        coco=_ordered(more, "coco", known),
        groceries=_ordered(more, "grocery", known),
        emoji=_ordered(more, "emoji", known),
        shapes=_ordered(more, "shape", known),
    )


def grocery_folders() -> list[str]:
    """The folder of each of `Vocabulary.groceries` in GroceryStoreDataset."""
    path = Path(__file__).parents[1] / "more.json"
    more = json.loads(path.read_text(encoding="utf-8"))
    return sorted(thing["grocery"] for thing in more["things"] if "grocery" in thing)


def _ordered(more: Any, kind: str, known: dict[str, int]) -> tuple[int, ...]:
    found = sorted((thing[kind], known[thing["name"]]) for thing in more["things"] if kind in thing)
    return tuple(index for _, index in found)
