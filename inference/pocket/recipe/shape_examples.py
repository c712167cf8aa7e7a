"""Draws shapes: examples for `inference.pocket.seeing.shapes`, and the evaluation's graphics."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from inference.pocket.recipe.more_names import SHAPES
from inference.pocket.seeing.shapes import signature

SEED = 20261129
PER_SHAPE = 40
Point = tuple[float, float]


def outline(shape: str, rng: random.Random) -> list[Point]:
    """The corners of a shape of about the unit's size around the origin, upright."""
    if shape in ("square", "rectangle"):
        tall = 1.0 if shape == "square" else rng.choice([1, 1]) * rng.uniform(0.35, 0.7)
        return [(-0.8, -0.8 * tall), (0.8, -0.8 * tall), (0.8, 0.8 * tall), (-0.8, 0.8 * tall)]
    if shape == "diamond":
        slim = rng.uniform(0.5, 0.75)
        return [(0, -1), (slim, 0), (0, 1), (-slim, 0)]
    if shape in ("triangle", "pentagon", "hexagon"):
        corners = {"triangle": 3, "pentagon": 5, "hexagon": 6}[shape]
        return [_on_circle(i / corners) for i in range(corners)]
    if shape == "star":
        inner = rng.uniform(0.36, 0.5)
        return [_on_circle(i / 10, inner if i % 2 else 1) for i in range(10)]
    if shape == "cross":
        w = rng.uniform(0.25, 0.38)
        return [
            (-w, -1), (w, -1), (w, -w), (1, -w), (1, w), (w, w),
            (w, 1), (-w, 1), (-w, w), (-1, w), (-1, -w), (-w, -w),
        ]  # fmt: skip
    if shape == "heart":
        turns = [2 * math.pi * i / 60 for i in range(60)]
        return [
            (math.sin(t) ** 3,
             -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16)
            for t in turns
        ]  # fmt: skip
    slim = rng.uniform(0.45, 0.72) if shape == "oval" else 1.0
    return [(x, y * slim) for x, y in (_on_circle(i / 90) for i in range(90))]


def _on_circle(part: float, radius: float = 1.0) -> Point:
    return radius * math.sin(2 * math.pi * part), -radius * math.cos(2 * math.pi * part)


def draw_shape(
    draw: ImageDraw.ImageDraw, shape: str, middle: Point, size: float, rng: random.Random,
    colour: tuple[int, int, int] | int, ground: tuple[int, int, int] | int,
) -> None:  # fmt: skip
    """Draw one shape; `size` is its radius in pixels."""
    free = shape in ("star", "triangle", "pentagon", "hexagon", "oval", "rectangle")
    angle = rng.uniform(-0.5, 0.5) if free and rng.random() < 0.5 else rng.uniform(-0.12, 0.12)
    if shape in ("rectangle", "oval") and rng.random() < 0.4:
        angle += math.pi / 2
    cos, sin = math.cos(angle), math.sin(angle)
    points = [
        (middle[0] + size * (x * cos - y * sin), middle[1] + size * (x * sin + y * cos))
        for x, y in outline(shape, rng)
    ]
    draw.polygon(points, fill=colour)
    if shape == "ring":
        inner = rng.uniform(0.5, 0.75) * size
        x, y = middle
        draw.ellipse((x - inner, y - inner, x + inner, y + inner), fill=ground)


def write_examples(out: Path) -> int:
    """Write the signatures of many shapes; return how many."""
    rng = random.Random(SEED)
    signatures, labels = [], []
    for label, shape in enumerate(SHAPES):
        for _ in range(PER_SHAPE):
            image = Image.new("L", (160, 160))
            draw_shape(ImageDraw.Draw(image), shape, (80, 80), rng.uniform(14, 60), rng, 255, 0)
            mask = np.array(image) > 127
            signatures.append([round(float(v), 4) for v in signature(mask)])
            labels.append(label)
    out.write_text(json.dumps({"labels": labels, "signatures": signatures}) + "\n")
    return len(labels)
