"""What fails now, each as a sentence with the one thing to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.monitoring.health import Health
from bot.texts import duration, say

LITTLE_ROOM_BYTES = 2_000_000_000
MANY_FAILED = 0.05
FEW = 10
"""Of so few questions no share is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that keeps somebody from an answer."""

    what: str = field(repr=False)
    """A sentence."""
    remedy: str = field(repr=False)
    """Another."""


def problems(
    health: Health, locale: str, *, now: float, free_bytes: int | None, ended: int, failed: int
) -> list[Problem]:
    """Find them, in the reader's language.

    Args:
        health: how the bot is.
        locale: the reader's.
        now: seconds since 1970.
        free_bytes: room where the data lies, if it is known.
        ended: today's questions.
        failed: how many of them failed.
    """

    def problem(what: str, remedy: str, **values: object) -> Problem:
        return Problem(what=say(locale, what, **values), remedy=say(locale, remedy))

    found: list[Problem] = []
    if not health.is_model_loaded:
        found.append(problem("admin_problem_model", "admin_remedy_model"))
    for outage in health.store.outages:
        for_ = duration(locale, now - outage.since)
        found.append(
            problem("admin_problem_store", "admin_remedy_store", reason=outage.reason, wait=for_)
        )
    if "step" in health.missing:
        found.append(
            problem(
                "admin_problem_step",
                "admin_remedy_step",
                wait=duration(locale, health.step_age_s or 0),
            )
        )
    found += [
        problem(
            "admin_problem_platform", "admin_remedy_platform", platform=one.platform.capitalize()
        )
        for one in health.platforms
        if not (one.is_connected or one.stands_by)
    ]
    if free_bytes is not None and free_bytes < LITTLE_ROOM_BYTES:
        found.append(problem("admin_problem_disk", "admin_remedy_disk", size_bytes=free_bytes))
    if ended >= FEW and failed > MANY_FAILED * ended:
        found.append(
            problem("admin_problem_failures", "admin_remedy_failures", failed=failed, count=ended)
        )
    return found
