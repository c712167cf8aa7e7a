"""Fuzz the decoding of pictures: `python -m tests.hostile_pictures --count 1000000 --seed 1`.

Every file is decoded, or refused by a sentence. What crashes its decoder is counted. With
`--resume FILE` the score is written there and a later run goes on from it; `--look N` writes file
N of the seed to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Any

from bot import texts
from bot.images.decoding.pool import running_pool
from bot.values.limits import PictureLimits
from tests.hostile_pictures.fuzzing import Score, fuzz
from tests.hostile_pictures.mutations import hostile_file

BATCH = 5_000


def main() -> int:
    """Returns: 1 where something was neither decoded nor refused, or took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="files in all")
    parser.add_argument("--seconds", type=float, default=inf, help="end after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume", type=Path, help="keep the score in this file, and go on")
    parser.add_argument("--look", type=int, help="write this file of the seed and end")
    arguments = parser.parse_args()
    if arguments.look is not None:
        sys.stdout.buffer.write(hostile_file(arguments.seed, arguments.look))
        return 0
    logging.basicConfig(level=logging.ERROR)
    texts.load()
    score = asyncio.run(_run(arguments))
    return 1 if score.unexpected or score.at_limit else 0


async def _run(arguments: argparse.Namespace) -> Score:
    score, spent_s = _read(arguments)
    async with running_pool(PictureLimits(), processes=arguments.processes) as pool:
        until = time.monotonic() + arguments.seconds
        while score.count < arguments.count and (begun := time.monotonic()) < until:
            first = score.count
            batch = range(first, min(first + BATCH, arguments.count))
            numbers = takewhile(lambda _: time.monotonic() < until, batch)
            await fuzz(pool, arguments.seed, numbers, score, at_once=2 * arguments.processes)
            spent_s += time.monotonic() - begun
            report = score.to_json() | {"seed": arguments.seed, "seconds": round(spent_s)}
            print(json.dumps(report), flush=True)  # noqa: T201
            if arguments.resume is not None:
                await asyncio.to_thread(arguments.resume.write_text, json.dumps(report))
    return score


def _read(arguments: argparse.Namespace) -> tuple[Score, float]:
    if arguments.resume is None or not arguments.resume.exists():
        return Score(), 0
    report: dict[str, Any] = json.loads(arguments.resume.read_text(encoding="utf-8"))
    if report["seed"] != arguments.seed:
        raise SystemExit("that score is of another seed")
    return Score.from_json(report), report["seconds"]


if __name__ == "__main__":
    sys.exit(main())
