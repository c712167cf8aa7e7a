"""Draws graphics whose content is known: what the evaluation asks about."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw

from inference.pocket.concepts import COLOURS
from inference.pocket.recipe.more_names import SHAPES
from inference.pocket.recipe.shape_examples import draw_shape
from inference.pocket.seeing.places import cell

# A typical tone of each colour, and how far the evaluation strays from it.
TONES = {
    "black": (15, 15, 15), "white": (250, 250, 250), "grey": (128, 128, 130), "red": (215, 30, 35),
    "orange": (250, 140, 20), "yellow": (250, 220, 40), "green": (45, 150, 60),
    "blue": (40, 90, 205),
    "purple": (125, 50, 150), "pink": (250, 160, 190), "brown": (120, 75, 40),
}  # fmt: skip
STRAY = 10
GROUNDS = ("white", "white", "white", "grey", "yellow", "blue", "black", "pink")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One kind of thing in a graphic: a shape's or an emoji's name, its colour, and the middles."""

    name: str
    colour: str | None
    middles: tuple[tuple[float, float], ...]

    @property
    def places(self) -> set[tuple[int, ...]]:
        """The cells that its middles are in."""
        return {cell(x, y) for x, y in self.middles}


@dataclass(frozen=True, slots=True)
class Graphic:
    """A picture and what it shows."""

    image: Image.Image
    things: tuple[Drawn, ...]
    ground: str


def draw_graphic(
    rng: random.Random, groups: int, most: int, emoji: Mapping[str, Image.Image] | None = None
) -> Graphic:
    """Draw `groups` kinds of things, up to `most` of each, in cells of a grid.

    Args:
        emoji: RGBA by name; None for shapes only.
    """
    width, height = rng.choice([(400, 400), (480, 320), (320, 420), (640, 480)])
    ground = rng.choice(GROUNDS)
    image = Image.new("RGB", (width, height), TONES[ground])
    draw = ImageDraw.Draw(image)
    side = rng.choice([3, 4])
    cells = [(i, j) for i in range(side) for j in range(side)]
    rng.shuffle(cells)
    things = []
    used: set[tuple[str, str | None]] = set()
    for _ in range(groups):
        as_shape = emoji is None or rng.random() < 0.4
        name = rng.choice(SHAPES if as_shape else sorted(emoji or ()))
        colour = rng.choice([c for c in COLOURS if c != ground]) if as_shape else None
        count = min(1 if rng.random() < 0.4 else rng.randint(1, most), len(cells))
        if (name, colour) in used or not count:
            continue
        used.add((name, colour))
        middles = []
        for i, j in (cells.pop() for _ in range(count)):
            x, y = (i + 0.5) / side, (j + 0.5) / side
            size = min(width, height) / side * rng.uniform(0.28, 0.4)
            middles.append((x, y))
            if colour is None:
                piece = (emoji or {})[name].resize((round(2.2 * size),) * 2, 1)
                image.paste(
                    piece, (round(x * width - 1.1 * size), round(y * height - 1.1 * size)), piece
                )
            else:
                red, green, blue = (
                    max(0, min(255, v + rng.randint(-STRAY, STRAY))) for v in TONES[colour]
                )
                tone = red, green, blue
                draw_shape(draw, name, (x * width, y * height), size, rng, tone, TONES[ground])
        things.append(Drawn(name, colour, tuple(middles)))
    return Graphic(image, tuple(things), ground)
