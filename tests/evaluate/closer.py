"""What a closer look brings: whether an answer can be read in what a model sees.

Run: `python -m tests.evaluate.closer [--questions N] [--side PX] [--seed N]`.
Four windows stand on a screen of 1920 × 1080 pixels, and a question is about one of them. The text
is read once in the whole screen and once in the part that is looked at closer, both shrunk to the
longer side that the model sees (336: LLaVA-1.5), by the reader of `bot/images/reading`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from PIL import Image

from bot.core.answering.closer import looks_on
from bot.images.cutting import cut_out
from bot.images.reading.pool import ReadingPool, running_reading_pool
from bot.store import StoredPicture
from inference.types import Picture
from tests.engines import MODEL
from tests.evaluate.pages import Page, questions
from tests.evaluate.reading import comparable
from tests.pictures import picture_of

SCREEN_PX: Final = (1920, 1080)
_CORNERS: Final = ((40, 40), (1000, 40), (40, 580), (1000, 580))
_WINDOW_PX: Final = (880, 460)


def screens(rng: random.Random, count: int) -> Iterator[Page]:
    """Screens of four windows, with a question about one of them."""
    pages = list(questions(rng, -(-count // 4) * 4))
    for at in range(count):
        windows = pages[at // 4 * 4 :][:4]
        screen = Image.new("RGB", SCREEN_PX, (230, 233, 238))
        for window, corner in zip(windows, rng.sample(_CORNERS, 4), strict=True):
            screen.paste(window.image.crop(_within(window)), corner)
        yield replace(windows[at % 4], image=screen)


def _within(window: Page) -> tuple[int, int, int, int]:
    return 0, 0, min(window.image.width, _WINDOW_PX[0]), min(window.image.height, _WINDOW_PX[1])


async def can_read(pool: ReadingPool, picture: Picture, answer: str, side_px: int) -> bool:
    """Whether an answer can be read in a picture at the size that a model sees."""
    image = Image.open(io.BytesIO(picture.data)).convert("RGB")
    image.thumbnail((side_px, side_px), Image.Resampling.BICUBIC)
    reading = await pool.read(picture_of(image))
    return reading is not None and comparable(answer).lower() in comparable(reading.text).lower()


async def evaluate(given: argparse.Namespace) -> None:
    """Look, read, print."""
    rng, model = random.Random(given.seed), replace(MODEL, tower_px=given.side)
    whole = part = looked = 0
    scales: list[float] = []
    async with running_reading_pool("on") as pool:
        if pool is None:
            return
        for page in screens(rng, given.questions):
            picture = picture_of(page.image)
            reading = await pool.read(picture)
            looks = looks_on(page.question, _stored(picture), model, reading)
            whole += await can_read(pool, picture, page.answer, given.side)
            if looks:
                looked += 1
                boxes = [look.box for look in looks]
                scales += [min(1.0, given.side / max(x1 - x0, y1 - y0)) for x0, y0, x1, y1 in boxes]
                cut = await cut_out(picture, boxes)
                part += any([await can_read(pool, it, page.answer, given.side) for it in cut])
    count = given.questions
    print(f"seen at {given.side} px: looked closer at {looked} of {count} screens")
    print(f"  the whole is seen at {given.side / SCREEN_PX[0]:.2f} of its size, ", end="")
    print(f"a part at {sum(scales) / max(1, len(scales)):.2f} (mean)")
    print(f"  the answer can be read in the whole: {whole}, in a part: {part}")


def _stored(picture: Picture) -> StoredPicture:
    return StoredPicture(
        digest=picture.digest,
        suffix="png",
        file="",
        number=1,
        name="screen",
        notes=(),
        width_px=picture.width_px,
        height_px=picture.height_px,
    )


def main() -> None:
    """Parse the arguments and evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--side", type=int, default=336, help="longer side that the model sees")
    parser.add_argument("--seed", type=int, default=19)
    asyncio.run(evaluate(parser.parse_args()))


if __name__ == "__main__":
    main()
