"""How much somebody has asked, what is left of their quotas, and for admins, who asks how much."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from bot.store import Store
from bot.texts import duration, say
from bot.values.limits import QuestionBounds
from bot.values.turns import ChannelPlace
from bot.values.usage import UsageSum

DAYS = 30
LINES = 10
"""Of a list for admins."""
API: Final = "api"
"""The platform whose people are keys."""
PAGE: Final = ("web", "local")
"""The operator's own page: people there belong to no workspace or server."""

QUOTAS: Final = {
    "user_per_minute": "usage_quota_user_per_minute",
    "user_per_day": "usage_quota_user_per_day",
    "channel_per_minute": "usage_quota_channel_per_minute",
    "channel_per_day": "usage_quota_channel_per_day",
}
"""Bound → its sentence."""


class UsageReport:
    """Lives as long as the bot."""

    def __init__(self, store: Store, bounds: QuestionBounds) -> None:
        self._store = store
        self._bounds = bounds

    async def of(self, place: ChannelPlace, person: str, locale: str, *, is_admin: bool) -> str:
        """The report for one person, in their channel. Raises: StoreFailed."""
        lines = [await self._own(place, person, locale)]
        for quota in await self._store.usage.quotas(place, person, self._bounds):
            key = QUOTAS[quota.bound]
            lines.append(say(locale, key, left=quota.left, limit=quota.limit))
            if quota.left < quota.limit and quota.renews_at is not None:
                wait = duration(locale, quota.renews_at - time.time())
                lines[-1] += " " + say(locale, "usage_renews", wait=wait)
        if is_admin and place[1]:  # direct messages of Discord belong to no team
            lines += await self._everybody(place, locale)
        return "\n".join(lines)

    async def _own(self, place: ChannelPlace, person: str, locale: str) -> str:
        platform, team, _ = place
        sums = partial(self._store.usage.sums, platform=platform, team=team, person=person)
        month = await sums(days=DAYS)
        if not month:
            return say(locale, "usage_none", days=DAYS)
        today = await sums(days=1)
        return say(
            locale,
            "usage_yours",
            days=DAYS,
            questions=month[0].questions,
            pictures=month[0].pictures,
            tokens=month[0].generated_tokens,
            today=today[0].questions if today else 0,
        )

    async def _everybody(self, place: ChannelPlace, locale: str) -> list[str]:
        platform, team, _ = place
        sums = partial(self._store.usage.sums, platform=platform, team=team)
        people = await sums("person", days=DAYS, limit=LINES)
        channels = await sums("channel", days=DAYS, limit=LINES)
        nobody = say(locale, "usage_nobody")
        return [
            say(locale, "usage_people", days=DAYS),
            *(_line(locale, it, f"<@{it.person}>" if it.person else nobody) for it in people),
            say(locale, "usage_channels"),
            *(_line(locale, it, f"<#{it.channel}>") for it in channels),
            *await self._api(platform, team, locale),
        ]

    async def _api(self, platform: str, team: str, locale: str) -> list[str]:
        """What the API's keys have asked. Other teams' admins would see them, too: then nobody."""
        sums = self._store.usage.sums
        teams = {(it.platform, it.team) for it in await sums("platform", "team")}
        others = {it for it in teams if it[0] != API and it[1]} - {(platform, team), PAGE}
        keys = await sums("person", platform=API, days=DAYS, limit=LINES)
        if not keys or others:
            return []
        return [say(locale, "usage_api"), *(_line(locale, it, it.person) for it in keys)]


def _line(locale: str, found: UsageSum, who: str) -> str:
    return say(
        locale, "usage_line", who=who, questions=found.questions, tokens=found.generated_tokens
    )
