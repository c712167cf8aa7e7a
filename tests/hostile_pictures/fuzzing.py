"""Sends hostile pictures through the pool, and keeps the score."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil

from bot.errors import PictureRefused
from bot.images.decoding.pool import DecodingPool
from tests.hostile_pictures.mutations import hostile_file

MAKERS = 2
CRASHED = "picture_undecodable"


@dataclass(slots=True)
class Score:
    """What became of the files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """`decoded`, or the key of the sentence."""
    crashes: list[int] = field(default_factory=list)
    """Numbers of the files that crashed their decoder: allowed, each got its sentence."""
    at_limit: list[int] = field(default_factory=list)
    """Numbers of the files that reached the limit of time."""
    unexpected: list[str] = field(default_factory=list)
    """What was neither decoded nor refused by a sentence: never."""
    slowest_s: float = 0
    slowest: int = -1
    most_memory_mb: float = 0
    """Of the process that plays the bot."""

    @property
    def count(self) -> int:
        """Of all files."""
        return self.outcomes.total() + len(self.unexpected)

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "files": self.count,
            "outcomes": dict(self.outcomes.most_common()),
            "crashes": self.crashes,
            "at_limit": self.at_limit,
            "unexpected": self.unexpected,
            "slowest_s": round(self.slowest_s, 2),
            "slowest": self.slowest,
            "most_memory_mb": round(self.most_memory_mb),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Score:
        """What an earlier run had reached."""
        return cls(
            outcomes=Counter(value["outcomes"]),
            crashes=value["crashes"],
            at_limit=value["at_limit"],
            unexpected=value["unexpected"],
            slowest_s=value["slowest_s"],
            slowest=value["slowest"],
            most_memory_mb=value["most_memory_mb"],
        )


def memory_mb() -> float:
    """What this process, the bot's part, has in memory."""
    return float(psutil.Process().memory_info().rss) / 1e6


async def fuzz(
    pool: DecodingPool, seed: int, numbers: Iterable[int], score: Score, *, at_once: int
) -> None:
    """Decode the files of these numbers, some at once.

    They are made in processes of their own: drawing them takes more memory than the bot's part.
    """
    waiting = iter(numbers)
    loop = asyncio.get_running_loop()
    context = multiprocessing.get_context("spawn")  # threads run here
    with ProcessPoolExecutor(MAKERS, mp_context=context) as makers:

        async def work(person: int) -> None:
            for number in waiting:
                data = await loop.run_in_executor(makers, hostile_file, seed, number)
                await _decode(pool, data, person, number, score)

        await asyncio.gather(*(work(person) for person in range(at_once)))


async def _decode(pool: DecodingPool, data: bytes, person: int, number: int, score: Score) -> None:
    begun = time.monotonic()
    outcome = "decoded"
    try:
        result = await pool.decode("hostile", data, asker=person)
        if max(result.picture.width_px, result.picture.height_px) > pool.limits.max_side_px:
            score.unexpected.append(f"{number}: larger than the limit")
            return
    except PictureRefused as refusal:
        if "hostile" not in refusal.sentence("en") or "hostile" not in refusal.sentence("ja"):
            score.unexpected.append(f"{number}: a sentence without the name: {refusal.key}")
            return
        outcome = refusal.key
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is a finding
        score.unexpected.append(f"{number}: {type(exc).__name__}")
        return
    took = time.monotonic() - begun
    score.most_memory_mb = max(score.most_memory_mb, memory_mb())
    score.outcomes[outcome] += 1
    if outcome == CRASHED:
        score.crashes.append(number)
    elif outcome == "picture_takes_too_long":
        score.at_limit.append(number)
    if took > score.slowest_s:
        score.slowest_s, score.slowest = took, number
