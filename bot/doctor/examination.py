"""Runs every check side by side and collects what they find, by area."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.configuration import Configuration
from bot.doctor import kept, listening, machine, model
from bot.doctor.answer import ANSWER_S, answer
from bot.platforms.entry import PlatformEntry
from bot.platforms.findings import Finding, Status
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.registry import PLATFORMS
from inference.failures import in_one_line

CHECK_S = 30
PLATFORM_S = 120
"""A platform's check may post a message and wait for its event."""

WRONG_SETTING = "correct it, or remove it; the rest was looked at without it."
WRONG_FOR_ALL = "put this right first: nothing else could be looked at."
WRONG_NAME = "correct the name, or remove it."

Check = Callable[[Configuration], Sequence[Finding]]
"""Looks at one thing; run in a thread."""

MODEL, ANSWER = "The model", "An answer"

CHECKS: dict[str, tuple[Check, ...]] = {
    "This machine": (
        machine.python,
        machine.clock,
        machine.folder,
        machine.disk,
        machine.decoding,
        machine.reading,
        kept.database,
        kept.pictures,
    ),
    MODEL: (model.model,),
    "The playground": (listening.playground,),
    "Other ports": (
        listening.monitoring,
        listening.api,
        listening.slack_http,
        listening.same_ports,
    ),
}
"""By area, in the order of the report. A new check is a function here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What was found about one part of the set-up."""

    title: str
    findings: tuple[Finding, ...]
    remark: str = ""
    """Where there is nothing to check."""


def is_well(areas: Sequence[Area]) -> bool:
    """Whether nothing is wrong; what could not be checked does not count."""
    return not any(finding.status is Status.WRONG for area in areas for finding in area.findings)


async def examine(
    configuration: Configuration, *, channel: str | None = None, asks_model: bool = False
) -> list[Area]:
    """Look at everything at once.

    With `channel`, its platform's check posts a message there. `asks_model`: afterwards, load the
    model and have it answer once.
    """
    settings = (
        *(Finding(sentence.rstrip("."), WRONG_SETTING) for sentence in configuration.problems),
        *(Finding(sentence.rstrip("."), WRONG_NAME) for sentence in configuration.unknown),
    )
    local = [_local(title, checks, configuration) for title, checks in CHECKS.items()]
    platforms = [
        _platform(entry, configuration, channel) for entry in PLATFORMS if entry.doctor is not None
    ]
    areas = [it for it in await asyncio.gather(*local, *platforms) if it.findings or it.remark]
    if settings:
        areas = [Area(title="The settings", findings=settings), *areas]
    if not asks_model:
        return areas
    # Alone: nothing that was measured above waits for a processor that loads a model.
    return [*areas, await _answer(configuration, areas)]


async def _answer(configuration: Configuration, areas: Sequence[Area]) -> Area:
    if not is_well([area for area in areas if area.title == MODEL]):
        unseen = Finding("an answer", "put right what is wrong with the model.", unknown=True)
        return Area(title=ANSWER, findings=(unseen,))
    found = await _in_time("an answer", answer(configuration), ANSWER_S + CHECK_S)
    return Area(title=ANSWER, findings=tuple(found))


def unexamined(problems: str) -> Area:
    """What keeps everything from being looked at, one problem per line."""
    findings = (Finding(line.rstrip("."), WRONG_FOR_ALL) for line in problems.splitlines())
    return Area(title="The settings", findings=tuple(findings))


def asks_others(configuration: Configuration) -> list[str]:
    """The platforms that will be asked over the network."""
    return [
        entry.title
        for entry in PLATFORMS
        if entry.doctor is not None and entry.is_set_up(configuration.of(entry.settings))
    ]


async def _local(title: str, checks: Sequence[Check], configuration: Configuration) -> Area:
    found = await asyncio.gather(
        *(
            _in_time(check.__name__, asyncio.to_thread(check, configuration), CHECK_S)
            for check in checks
        )
    )
    return Area(title=title, findings=tuple(finding for some in found for finding in some))


async def _platform(
    entry: PlatformEntry[Any], configuration: Configuration, channel: str | None
) -> Area:
    settings, doctor = configuration.of(entry.settings), entry.doctor
    assert doctor is not None  # noqa: S101 - the caller has looked
    if not entry.is_set_up(settings):
        remark = f"{entry.title} is not set up: README, {entry.title}, says how."
        return Area(title=entry.title, findings=(), remark=remark)
    try:
        entry.check(settings)
    except PlatformUnavailable as exc:
        what = f"{entry.title}'s settings"
        findings = tuple(Finding(what, problem) for problem in exc.problems)
        return Area(title=entry.title, findings=findings)
    its_channel = channel if channel is not None and doctor.is_channel(channel) else None
    found = await _in_time(entry.title, doctor.examine(settings, its_channel), PLATFORM_S)
    return Area(title=entry.title, findings=tuple(found))


async def _in_time(
    name: str, check: Awaitable[Sequence[Finding]], limit_s: float
) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(limit_s):
            return await check
    except TimeoutError:
        return [Finding(name, f"it took more than {limit_s:g} s; try again.", unknown=True)]
    except Exception as exc:  # noqa: BLE001 - one check's surprise must not hide the others
        return [Finding(name, f"it could not be checked ({in_one_line(exc)}).", unknown=True)]
