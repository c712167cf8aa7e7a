"""What is read for exports: rated answers, and a thread by a link to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, Integer, cast, func, or_, select

from bot.store.database import Database
from bot.store.rows import as_turns
from bot.store.schema import feedback, inbox, threads, turns
from bot.store.uninterrupted import uninterrupted
from bot.values.messages import ThreadKey
from bot.values.turns import RatedTurn

_PARTS: Final = re.compile(r"[^/?&=#\s<>|]+")
_SLACK_MESSAGE: Final = re.compile(r"p(\d{7,})(\d{6})")


class Exporting:
    """The part of the store that the operator's exports read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def rated(self, *, after: int = 0, limit: int = 100) -> list[RatedTurn]:
        """Answers that somebody has rated, by their rows, with what was said before them.

        `after`: the last row of the piece before.
        """

        def work(connection: Connection) -> list[RatedTurn]:
            good = func.sum(cast(feedback.c.good, Integer))
            found = connection.execute(
                select(turns.c.id, turns.c.thread_id, good.label("good"), func.count().label("num"))
                .join(
                    feedback,
                    (feedback.c.thread_id == turns.c.thread_id)
                    & (feedback.c.message == turns.c.message),
                )
                .where(turns.c.id > after, turns.c.answer.is_not(None))
                .group_by(turns.c.id, turns.c.thread_id)
                .order_by(turns.c.id)
                .limit(limit)
            )
            return [
                _rated(connection, row.id, row.thread_id, int(row.good), int(row.num))
                for row in found.all()
            ]

        return await self._database.read(work)

    @uninterrupted
    async def threads_at(self, place: str) -> list[ThreadKey]:
        """The threads that a link, or an id of a thread or of a question in it, may mean."""
        ids = set(_ids_in(place))

        def work(connection: Connection) -> list[ThreadKey]:
            columns = (threads.c.platform, threads.c.team, threads.c.channel, threads.c.thread)
            found = connection.execute(
                select(*columns)
                .outerjoin(inbox, inbox.c.thread_id == threads.c.id)
                .where(or_(threads.c.thread.in_(ids), inbox.c.message.in_(ids)))
                .distinct()
                .limit(20)
            )
            keys = [ThreadKey(**row._mapping) for row in found]
            in_channel = [key for key in keys if key.channel in ids]
            return in_channel or keys

        return await self._database.read(work)


def _rated(connection: Connection, turn_id: int, thread_id: int, good: int, num: int) -> RatedTurn:
    rows = connection.execute(
        select(turns)
        .where(turns.c.thread_id == thread_id, turns.c.id <= turn_id)
        .order_by(turns.c.id)
    ).all()
    place = connection.execute(
        select(threads.c.platform, threads.c.team, threads.c.channel, threads.c.thread).where(
            threads.c.id == thread_id
        )
    ).one()
    *before, rated = as_turns(connection, rows)
    return RatedTurn(
        row=turn_id,
        thread=ThreadKey(**place._mapping),
        turn=rated,
        before=tuple(before),
        good=good,
        bad=num - good,
    )


def _ids_in(place: str) -> Iterable[str]:
    for part in _PARTS.findall(place):
        yield part
        # Slack's links write a message's time without its point.
        if message := _SLACK_MESSAGE.fullmatch(part):
            yield f"{message[1]}.{message[2]}"
