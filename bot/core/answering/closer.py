"""Looks closer: parts of a picture at full size, beside the whole, for a question about a part.

Which parts follows from the question, the picture's size, what the model sees of it and the text
that was read in it, and from nothing else. So a later question of the thread finds the same parts
at the same place of the prompt, and the prefix cache has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.core.answering.asked_lines import matching
from bot.core.answering.parts_named import (
    asks_for_small,
    nth_in,
    pictures_in,
    places_in,
)
from bot.core.answering.pictured_text import SMALL_PX
from bot.images.cutting import cut_out
from bot.store import StoredPicture, Turn
from bot.texts import say
from bot.values.pictures import Box
from bot.values.readings import Reading
from inference.types import Limitation, ModelInfo, Picture

MAX_LOOKS: Final = 3
"""Of one question."""
_CELL: Final = 0.55
"""Share of a side that a place takes: a little over half, so that nothing is cut in the middle."""
_MIDDLE: Final = (0.25, 0.75)
_GAIN: Final = 1.25
"""A part must be seen so much larger than in the whole picture."""
_MARGIN: Final = 1.0
"""Around text, in heights of its lines."""
_BLOCK_GAP: Final = 1.0
"""Lines of one block are no farther apart, in heights of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A part of a picture."""

    number: int
    """The picture's."""
    box: Box
    where: str
    """Which part: one of `PLACES`, or ``text``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closer:
    """A part of a picture, cut out."""

    look: Look
    picture: Picture


LooksOn = Callable[[str, StoredPicture], tuple[Look, ...]]
"""(question, picture) → the parts that it is about."""


def looks_on(
    question: str, picture: StoredPicture, model: ModelInfo, reading: Reading | None = None
) -> tuple[Look, ...]:
    """The parts of a picture that a question is about and that the model sees too small.

    None where the model sees the picture as large as it is, or where that is not known, nor for a
    model that looks at places by itself and cannot use more pictures of the same.

    `reading`: the text of the picture, for questions about some of it.
    """
    if Limitation.MAIN_SUBJECT_ONLY in model.limitations:
        return ()
    width, height = picture.width_px, picture.height_px
    seen = model.seen(width, height)
    if picture.sheet is not None or seen is None or seen == (width, height):
        return ()
    boxes = {place: _cell(place, width, height) for place in places_in(question)}
    if not boxes and reading is not None and Limitation.NO_TEXT not in model.limitations:
        lines = _lines_asked(question, reading, seen[0] / width)
        boxes = {"text": _around(lines, picture, seen)} if lines else {}
    return tuple(
        Look(number=picture.number, box=box, where=where)
        for where, box in boxes.items()
        if _is_gain(box, model, seen[0] / width)
    )


async def look_closer(
    turns: Sequence[Turn],
    shown: Mapping[int, Picture],
    model: ModelInfo,
    parts: LooksOn,
) -> dict[str, tuple[Closer, ...]]:
    """What is looked at closer in each turn, by its message, as far as the model takes pictures.

    The latest turns come first. Raises: OSError: a picture cannot be decoded.

    Args:
        turns: of the thread, oldest first.
        shown: the pictures that the model is shown, by number.
        model: its bounds hold.
        parts: see `looks_on`.
    """
    room = model.max_pictures - len(shown)
    closer: dict[str, tuple[Closer, ...]] = {}
    for index in reversed(range(len(turns))):
        is_shown = turns[index].answer or index == len(turns) - 1
        about = _about(turns[: index + 1]) if is_shown else []
        looks = [
            look
            for picture in about
            if picture.number in shown
            for look in parts(turns[index].question, picture)
        ][: min(MAX_LOOKS, max(0, room))]
        if looks:
            room -= len(looks)
            closer[turns[index].message] = tuple(
                [Closer(look=look, picture=await _cut(shown, look)) for look in looks]
            )
    return closer


def told_closer(closer: Sequence[Closer], pages: Mapping[int, str]) -> str:
    """What the model is told of the parts, which come last; empty where there are none.

    `pages`: which page a picture shows, in words.
    """
    if not closer:
        return ""
    parts = "; ".join(
        f"{say('en', f'part_{look.where}')} of {pages.get(look.number) or f'picture {look.number}'}"
        for look in (it.look for it in closer)
    )
    which = "picture is" if len(closer) == 1 else f"{len(closer)} pictures are"
    return f"The last {which} a closer look at {parts}.\n\n"


def notes_closer(locale: str, closer: Sequence[Closer]) -> list[str]:
    """For the receipt."""
    return [
        say(
            locale,
            "note_looked_closer",
            where=say(locale, f"part_{it.look.where}"),
            number=it.look.number,
        )
        for it in closer
    ]


async def _cut(shown: Mapping[int, Picture], look: Look) -> Picture:
    [part] = await cut_out(shown[look.number], [look.box])
    return part


def _about(turns: Sequence[Turn]) -> list[StoredPicture]:
    """The pictures that the last turn's question is about.

    Those that it names by number, else its own, else those of the latest turn that has some.
    """
    named = pictures_in(turns[-1].question)
    if named:
        return [one for turn in turns for one in turn.pictures if one.number in named]
    return list(next((turn.pictures for turn in reversed(turns) if turn.pictures), ()))


def _cell(place: str, width: int, height: int) -> Box:
    left, right, top, bottom = 0.0, 1.0, 0.0, 1.0
    if place == "middle":
        (left, right), (top, bottom) = _MIDDLE, _MIDDLE
    if "left" in place:
        right = _CELL
    if "right" in place:
        left = 1 - _CELL
    if "top" in place:
        bottom = _CELL
    if "bottom" in place:
        top = 1 - _CELL
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def _is_gain(box: Box, model: ModelInfo, whole_scale: float) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    seen = model.seen(width, height) if min(width, height) > 0 else None
    return seen is not None and seen[0] / width >= _GAIN * whole_scale


def _lines_asked(question: str, reading: Reading, scale: float) -> list[Box]:
    """Where the lines stand that a question is about, if some are too small in what is seen."""
    boxes = list(reading.boxes)
    if not boxes:
        return []
    if (nth := nth_in(question)) is not None:
        units = [[box] for box in boxes] if nth.is_line else _blocks(boxes)
        chosen = units[nth.index] if nth.index < len(units) else []
    elif found := matching(question, reading.lines):
        chosen = [boxes[index] for index in found]
    elif asks_for_small(question):
        smallest = min(range(len(boxes)), key=lambda index: _height(boxes[index]))
        chosen = next(block for block in _blocks(boxes) if boxes[smallest] in block)
    else:
        chosen = []
    return chosen if any(_height(box) * scale < SMALL_PX for box in chosen) else []


def _blocks(boxes: Sequence[Box]) -> list[list[Box]]:
    """Lines that stand close below each other, in reading order: a sign, a paragraph."""
    blocks: list[list[Box]] = []
    for box in boxes:
        last = blocks[-1][-1] if blocks else None
        if last is not None and _is_next(last, box):
            blocks[-1].append(box)
        else:
            blocks.append([box])
    return blocks


def _is_next(last: Box, box: Box) -> bool:
    gap = box[1] - last[3]
    beside = min(last[2], box[2]) - max(last[0], box[0])
    return abs(gap) <= _BLOCK_GAP * min(_height(last), _height(box)) and beside > 0


def _height(box: Box) -> int:
    return box[3] - box[1]


def _around(lines: Sequence[Box], picture: StoredPicture, seen: tuple[int, int]) -> Box:
    """A part with these lines, no smaller than what the model sees of the whole."""
    lefts, tops, rights, bottoms = zip(*lines, strict=True)
    margin = round(_MARGIN * max(map(_height, lines)))
    left, right = _grown(min(lefts) - margin, max(rights) + margin, seen[0], picture.width_px)
    top, bottom = _grown(min(tops) - margin, max(bottoms) + margin, seen[1], picture.height_px)
    return left, top, right, bottom


def _grown(low: int, high: int, least: int, side: int) -> tuple[int, int]:
    """Widened to `least` around its middle, and moved into a side of the picture."""
    length = min(side, max(least, high - low))
    start = min(max(0, (low + high - length) // 2), side - length)
    return start, start + length
