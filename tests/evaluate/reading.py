"""How well text in pictures is read: exact lines, reading order, and answers.

Run: `python -m tests.evaluate.reading [--rounds N] [--questions N] [--seed N]`.
The questions are put to the model `MODEL`, by default the pocket.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import random
import re
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.composition import loading_devices, running_services
from bot.configuration import load_configuration
from bot.images.reading.pool import ReadingPool, running_reading_pool
from bot.values.readings import CELL_GAP
from tests.evaluate.pages import (
    PACKAGES,
    Page,
    missing_fonts,
    photographed,
    questions,
    two_columns,
    upright_pages,
)
from tests.pictures import encode, picture_of
from tests.scenario.core import message
from tests.scenario.exchange import FakeExchange


def comparable(line: str) -> str:
    """A line without what no reader can know: widths of letters, and of spaces."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", line))


def exact(page: Page, read: Sequence[str]) -> tuple[int, int]:
    """How many lines were read exactly, of how many; a chart's labels each on its own."""
    wanted, found = list(page.lines), list(read)
    if page.kind == "chart":
        wanted = [cell for line in wanted for cell in line.split(CELL_GAP)]
        found = [cell for line in found for cell in line.split(CELL_GAP)]
    have = Counter(map(comparable, found))
    need = Counter(map(comparable, wanted))
    return sum((have & need).values()), len(wanted)


def in_order(page: Page, read: Sequence[str]) -> bool:
    """Whether the lines come in the page's order, and none is missing or joined to another."""
    wanted = [comparable(line) for line in page.lines]
    found = [comparable(line) for line in read]
    return len(wanted) == len(found) and all(
        difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() > 0.8
        for one, other in zip(wanted, found, strict=True)
    )


async def read(pool: ReadingPool, page: Page) -> tuple[str, ...]:
    """The lines of a page."""
    reading = await pool.read(picture_of(page.image))
    return () if reading is None else reading.lines


async def lines_of(pool: ReadingPool, pages: Iterable[Page], what: str, *, shows: bool) -> None:
    """Print the share of exact lines, by kind and in all."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for page in pages:
        lines = await read(pool, page)
        hits, count = exact(page, lines)
        right[page.kind] += hits
        total[page.kind] += count
        if shows and hits < count:
            print(f"  {page.kind}: {page.lines} read as {lines}")
    for kind in sorted(total):
        print(f"  {kind}: {right[kind]} of {total[kind]}")
    share = right.total() / max(1, total.total())
    print(f"{what}: {right.total()} of {total.total()} lines exact ({share:.1%})")


async def orders(pool: ReadingPool, rng: random.Random, count: int) -> None:
    """Print how many two-column pages are read in order."""
    right = 0
    for at in range(count):
        page = two_columns(rng, 14 + 2 * (at % 4))
        if at % 3 == 2:
            page = photographed(page, rng)
        right += in_order(page, await read(pool, page))
    print(f"two columns (a third photographed): {right} of {count} pages in order")


async def answers(rng: random.Random, count: int, *, shows: bool) -> None:
    """Print how many questions are answered with what stands in the picture."""
    configuration = load_configuration()
    right = 0
    with loading_devices(configuration.bot) as devices, tempfile.TemporaryDirectory() as state:
        async with running_services(configuration, devices, state=Path(state)) as services:
            model = await services.engine.loaded()
            for at, page in enumerate(questions(rng, count)):
                exchange = FakeExchange({"p": encode(page.image)})
                asked = message(page.question, "p", id=f"q{at}", in_thread=f"t{at}")
                await services.answers.ask(asked, exchange)
                text = " ".join((exchange.ending.text, *exchange.ending.receipt.notes))
                is_right = comparable(page.answer).lower() in comparable(text).lower()
                right += is_right
                if shows and not is_right:
                    print(f"  {page.question} {page.answer}: {text!r}")
    print(f"{model.name}: {right} of {count} questions answered or quoted from the picture")


async def evaluate(given: argparse.Namespace) -> None:
    """Read, ask, print."""
    rng = random.Random(given.seed)
    began_at = time.perf_counter()
    async with running_reading_pool("auto") as pool:
        if pool is None:
            return
        pages = list(upright_pages(rng, given.rounds))
        await lines_of(pool, pages, "upright, 12 px and more", shows=given.verbose)
        shot = [photographed(page, rng) for page in pages if min(page.image.size) > 0]
        await lines_of(pool, shot, "photographed", shows=given.verbose)
        await orders(pool, rng, 3 * given.rounds)
    if given.questions:
        await answers(rng, given.questions, shows=given.verbose)
    print(f"{time.perf_counter() - began_at:.0f} s")


def main() -> None:
    """Parse, check the typefaces, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="pages of each kind")
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--seed", type=int, default=19, help="of the pages")
    parser.add_argument("--verbose", action="store_true", help="print what was read wrong")
    given = parser.parse_args()
    if missing := missing_fonts():
        sys.exit(f"Typefaces are missing ({missing[0]}, …): install Debian's {PACKAGES}.")
    asyncio.run(evaluate(given))


if __name__ == "__main__":
    main()
