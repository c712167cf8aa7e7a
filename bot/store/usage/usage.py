"""The usage's part of the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select

from bot.store.database import Database
from bot.store.question_bounds import quotas, quotas_in_use
from bot.store.rows import now
from bot.store.schema import usage
from bot.store.uninterrupted import uninterrupted
from bot.store.usage.counting import SUMS, add
from bot.values.limits import QuestionBounds, Quota, QuotaInUse
from bot.values.turns import ChannelPlace
from bot.values.usage import UsageKey, UsageSum, Use


class Usage:
    """Sums of questions. A question of the inbox is counted with its answer, in `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def add(self, use: Use) -> None:
        """Count a question that never was in the inbox."""
        await self._database.write(lambda connection: add(connection, use))

    @uninterrupted
    async def sums(
        self,
        *by: UsageKey,
        days: int | None = None,
        limit: int | None = None,
        **only: str,
    ) -> tuple[UsageSum, ...]:
        """Sums of what was asked, one for each value of what they are told apart by.

        Args:
            by: what they are told apart by; without any, there is one sum of all.
            days: of so many days, the last of which is today (UTC); `None`: of all.
            limit: at most so many sums.
            only: a key of the usage and its value, as `platform="slack"`: of those alone.

        Returns: the latest day first, if told apart by days; then the most questions first.
        """
        keys = [usage.c[name] for name in by]
        questions = func.sum(usage.c.questions)
        wanted = (
            select(*keys, *(func.sum(usage.c[name]).label(name) for name in SUMS))
            .where(*(usage.c[name] == value for name, value in only.items()))
            .group_by(*keys)
            .having(questions > 0)
            .order_by(*([usage.c.day.desc()] if "day" in by else []), questions.desc(), *keys)
            .limit(limit)
        )
        if days is not None:
            wanted = wanted.where(usage.c.day > now().date() - timedelta(days=days))

        def work(connection: Connection) -> tuple[UsageSum, ...]:
            return tuple(_sum(row, by) for row in connection.execute(wanted).mappings())

        return await self._database.read(work)

    @uninterrupted
    async def quotas(self, place: ChannelPlace, person: str, bounds: QuestionBounds) -> list[Quota]:
        """How much a person and their channel have left of the bounds in time that there are."""
        return await self._database.read(lambda c: quotas(c, place, person, bounds))

    @uninterrupted
    async def quotas_in_use(self, bounds: QuestionBounds, *, most: int) -> list[QuotaInUse]:
        """The quotas of a day of the people and the channels who have used most of theirs."""
        return await self._database.read(lambda c: quotas_in_use(c, bounds, most))

    @uninterrupted
    async def forget_older_than(self, days: int) -> None:
        """Keep so many days, the last of which is today (UTC)."""
        old = delete(usage).where(usage.c.day <= now().date() - timedelta(days=days))

        def work(connection: Connection) -> None:
            connection.execute(old)

        await self._database.write(work)


def _sum(row: Any, by: Sequence[UsageKey]) -> UsageSum:
    # PostgreSQL sums whole numbers to decimals.
    sums: dict[str, Any] = {
        name: float(row[name]) if name.endswith("_s") else int(row[name]) for name in SUMS
    }
    return UsageSum(**{name: row[name] for name in by}, **sums)
