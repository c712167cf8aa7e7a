"""Looks at one picture: is it a graphic or a photo, what stands in it, where, in which colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from inference.pocket.colours import colour_shares, pixel_colours
from inference.pocket.concepts import KIND_SURE, SECOND_COLOUR, SURE
from inference.pocket.efficientnet import SIDE_PX, EfficientNetLite2
from inference.pocket.seeing.detector import Box, NanoDet, shared, strongest
from inference.pocket.seeing.drawing import Piece, find_pieces
from inference.pocket.seeing.facts import Facts, Thing
from inference.pocket.seeing.heads import Heads
from inference.pocket.seeing.parts import cut, resized, square_around, squared
from inference.pocket.seeing.vocabulary import Vocabulary

BOX_SURE: Final = 0.45
ALONE_SURE: Final = 0.5
"""Of a box that the classifier says nothing about."""
HINT: Final = 0.3
MAX_BOXES: Final = 12
MAX_CROPS: Final = 2
"""Boxes that the classifier looks at: each costs as much as the whole picture."""
MAX_THINGS: Final = 4
AGAINST: Final = 0.5
EMOJI_SURE: Final = 0.35
EMOJI_PX: Final = 128
MAX_EMOJI: Final = 8
"""Different ones that are looked at."""
ALIKE: Final = 0.06
"""Mean difference below which two pieces are the same emoji."""
GROCERY_SURE: Final = 0.4
GROCERY_KINDS: Final = (
    "fruit", "vegetable", "food", "squash", "citrus fruit", "container", "shop", "mushroom",
)  # fmt: skip
SAME_BOX: Final = 0.45
_PERSON: Final = 0  # the detector's first kind


@dataclass(frozen=True)
class Glance:
    """The classifier's view of a part of the picture."""

    features: Tensor  # (1280,)
    probabilities: Tensor  # (1000,)
    activation: Tensor  # (9, 9), of the best class


@dataclass(frozen=True)
class Eyes:
    """The networks that look, and what their outputs are called."""

    net: EfficientNetLite2
    detector: NanoDet
    heads: Heads
    vocabulary: Vocabulary
    membership: Tensor
    """(1000, num_kinds), 1 where the class belongs to the kind."""
    prototypes: Tensor
    owners: Tensor

    @torch.inference_mode()
    def look(self, picture: Tensor) -> Facts:
        """Find what there is. Shape: (3, h, w), see `parts.read`."""
        pieces = find_pieces(picture)
        facts = None if pieces is None else self._drawn(picture, pieces)
        return facts or self._photo(picture)

    def _glances(self, parts: list[Tensor]) -> list[Glance]:
        grid = self.net.features(torch.cat([resized(part, SIDE_PX) for part in parts]))
        logits = self.net.classifier(grid)
        probabilities = logits.mean((2, 3)).softmax(-1)
        best = probabilities.argmax(-1)
        features = grid.mean((2, 3))
        return [
            Glance(features[i], probabilities[i], logits[i, best[i]]) for i in range(len(parts))
        ]

    # Photos.

    def _photo(self, picture: Tensor) -> Facts:
        """The main thing by the classifier, others by the detector."""
        boxes, hints = self._boxes(picture)
        crops = [cut(picture, box.edges) for box in boxes[:MAX_CROPS]]
        whole, *near = self._glances([picture, *crops])
        first, sure, second = self._best(whole)
        kind, kind_sure = self._kind(whole.probabilities, first)
        colours, background = self._colours(picture, whole.activation)
        named: list[tuple[Box, int, tuple[int, ...]]] = []
        for i, box in enumerate(boxes):
            glance = near[i] if i < len(near) else None
            name = self._named(box, glance, first, sure)
            if name is not None:
                own = () if glance is None else self._colours(crops[i], glance.activation)[0]
                named.append((box, name, own))
        things = _grouped(named, first)
        return Facts(
            first=first,
            sure=sure,
            second=second,
            kind=kind,
            kind_sure=kind_sure,
            colours=next((t.colours for t in things if t.name == first and t.colours), colours),
            background=background,
            things=things,
            hints=self._believable(hints - {thing.name for thing in things}, first, sure),
            masses=tuple((whole.probabilities @ self.membership).tolist()),
        )

    def _believable(self, hints: set[int], first: int, sure: float) -> tuple[int, ...]:
        """Hints that are no mistaken view of the main thing: a cat is no dog."""
        known = self.vocabulary.words_for(first) if sure >= SURE else set()
        return tuple(
            hint
            for hint in sorted(hints)
            if not ("animal" in known and "animal" in self.vocabulary.words_for(hint))
        )

    def _best(self, glance: Glance) -> tuple[int, float, int]:
        """The likeliest name, how sure, and the next one."""
        values, indices = glance.probabilities.topk(2)
        first, second = indices.tolist()
        sure = values[0].item()
        members = [self.vocabulary.kind_index[k] for k in GROCERY_KINDS]
        mass = (glance.probabilities * self.membership[:, members].amax(-1)).sum().item()
        groceries = self.heads.of_groceries(glance.features)
        best = int(groceries.argmax())
        level = groceries[best].item() * min(1.0, mass / 0.5)
        if level >= GROCERY_SURE and level > sure:
            name = self.vocabulary.groceries[best]
            return name, level, first if first != name else second
        return first, sure, second

    def _kind(self, probabilities: Tensor, first: int) -> tuple[int, float]:
        """The narrowest kind whose classes together are sure enough, or else the best one's."""
        start = len(self.vocabulary.classes)
        if first >= start:  # no class of the classifier
            return self.vocabulary.wide(first), 0.9
        mass = probabilities @ self.membership
        size = self.membership.sum(0)
        sure = mass >= KIND_SURE
        fits = sure if sure.any() else self.membership[first] > 0
        best = int(torch.where(fits, size, torch.inf).argmin())
        return start + best, mass[best].item()

    def _colours(self, picture: Tensor, activation: Tensor) -> tuple[tuple[int, ...], int]:
        """The thing's one or two, and the background's."""
        pixels = pixel_colours(picture[None], self.prototypes, self.owners)
        thing, behind = colour_shares(pixels, activation[None])
        return _one_or_two(thing[0]), int(behind[0].argmax())

    def _boxes(self, picture: Tensor) -> tuple[list[Box], set[int]]:
        """What the detector finds, the surest first, and what it has a hint of."""
        square, share_x, share_y = squared(picture)
        rgb = (square * 128 + 127).flip(0)  # it was trained on blue, green, red
        mean = rgb.new_tensor([103.53, 116.28, 123.675])[:, None, None]
        deviation = rgb.new_tensor([57.375, 57.12, 58.395])[:, None, None]
        scores, boxes = self.detector(((rgb - mean) / deviation)[None])
        boxes = boxes[0] / boxes.new_tensor([share_x, share_y, share_x, share_y])
        found = strongest(scores[0], boxes.clamp(0, 1), least=BOX_SURE)[:MAX_BOXES]
        hinted = (scores[0].amax(0) >= HINT).nonzero()[:, 0].tolist()
        return found, {self.vocabulary.coco[kind] for kind in hinted}

    def _named(self, box: Box, glance: Glance | None, first: int, sure: float) -> int | None:
        """What a box holds: the detector's word, unless the classifier speaks against it."""
        name = self.vocabulary.coco[box.kind]
        label = self.vocabulary.names[name].name
        if sure >= SURE and self.vocabulary.is_a(first, label):
            return first
        if glance is None:
            return name if box.score >= ALONE_SURE else None
        seen = int(glance.probabilities.argmax())
        level = glance.probabilities[seen].item()
        if level >= SURE and self.vocabulary.is_a(seen, label):
            return name
        if box.score < ALONE_SURE:
            return None
        animal = "animal" in self.vocabulary.names[seen].kinds
        if box.kind == _PERSON:
            whole = box.edges[2] - box.edges[0] > 0.9 and box.edges[3] - box.edges[1] > 0.9
            against = level >= HINT if animal else whole and level >= AGAINST
            return None if against else name
        # Sure of something else where it knows the detector's word, too.
        against = level >= AGAINST and (animal or self._knows(label))
        return None if against else name

    def _knows(self, label: str) -> bool:
        """Whether the classifier has a class of that name or kind."""
        return any(label in (c.name, *c.kinds) for c in self.vocabulary.classes)

    # Graphics.

    def _drawn(self, picture: Tensor, pieces: list[Piece]) -> Facts | None:
        """Shapes and emoji on a plain ground; None where it does not know what they are."""
        others = [piece for piece in pieces if piece.shape is None]
        emoji = self._emoji_of([square_around(picture, piece) for piece in others])
        groups: dict[tuple[int, tuple[int, ...]], list[Piece]] = {}
        key: tuple[int, tuple[int, ...]]
        for piece in pieces:
            if piece.shape is not None:
                key = self.vocabulary.shapes[piece.shape], (self._colour_of(piece.rgb),)
            else:
                name, level = emoji.pop(0)
                if level < EMOJI_SURE:
                    return None
                key = name, ()
            groups.setdefault(key, []).append(piece)
        things = [
            Thing(
                name=name,
                boxes=tuple(piece.edges for piece in found),
                colours=colours or self._palette(picture, found[0]),
            )
            for (name, colours), found in groups.items()
        ]
        first = max(things, key=lambda thing: thing.count)
        things = sorted(things, key=lambda thing: thing is not first)
        wide = self.vocabulary.wide(first.name)
        return Facts(
            first=first.name,
            sure=0.9,
            second=first.name,
            kind=wide,
            kind_sure=0.9,
            colours=first.colours,
            background=self._colour_of(pieces[0].ground),
            things=tuple(things),
            drawn=True,
        )

    def _emoji_of(self, parts: list[Tensor]) -> list[tuple[int, float]]:
        """The name of each part and how sure. Looks at one of several that are alike."""
        if not parts:
            return []
        small = torch.cat([resized(part, 16).flatten(1) for part in parts])
        alike = (small[:, None] - small[None]).abs().mean(-1) < ALIKE
        leader = alike.int().argmax(-1).tolist()
        wanted = sorted(set(leader))[:MAX_EMOJI]
        views = torch.cat([resized(resized(parts[i], SIDE_PX)[0], EMOJI_PX) for i in wanted])
        features = self.net.features(views).mean((2, 3))
        levels, best = self.heads.of_emoji(features).max(-1)
        found = {
            index: (self.vocabulary.emoji[name], level)
            for index, name, level in zip(wanted, best.tolist(), levels.tolist(), strict=True)
        }
        return [found.get(i, (self.vocabulary.emoji[0], 0.0)) for i in leader]

    def _colour_of(self, rgb: Tensor) -> int:
        """The name of one colour. Shape: (3,), as (x - 127) / 128."""
        square = rgb[None, :, None, None].expand(1, 3, 56, 56)
        return int(pixel_colours(square, self.prototypes, self.owners)[0, 0].argmax())

    def _palette(self, picture: Tensor, piece: Piece) -> tuple[int, ...]:
        """The colours of a piece of several."""
        square = square_around(picture, piece)[None]
        shares = pixel_colours(square, self.prototypes, self.owners)[0].mean(0)
        shares[self._colour_of(piece.ground)] = 0.0
        return _one_or_two(shares / shares.sum().clamp(min=1e-6))


def _one_or_two(shares: Tensor) -> tuple[int, ...]:
    values, indices = shares.topk(2)
    return tuple(indices[: 2 if values[1] >= SECOND_COLOUR else 1].tolist())


def _grouped(named: list[tuple[Box, int, tuple[int, ...]]], first: int) -> tuple[Thing, ...]:
    """Count the boxes of each name, the main thing first."""
    groups: dict[int, Thing] = {}
    for box, name, colours in named:
        known = groups.get(name)
        if known is None:
            groups[name] = Thing(name=name, boxes=(box.edges,), colours=colours)
        elif all(shared(box.edges, other) < SAME_BOX for other in known.boxes):
            # Of several, no one colour is all of theirs unless each has it.
            same = known.colours if colours == known.colours else ()
            groups[name] = replace(known, boxes=(*known.boxes, box.edges), colours=same)
    things = sorted(groups.values(), key=lambda thing: thing.name != first)
    return tuple(things[:MAX_THINGS])
