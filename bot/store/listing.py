"""How threads are found again: titles, pages of the list, and the search in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)

from bot.store.database import Database
from bot.store.database.folding import folded
from bot.store.database.statements import occurs
from bot.store.rows import as_turns, is_thread
from bot.store.schema import shares, threads, turn_pictures, turns
from bot.store.sharing import visible_to
from bot.store.uninterrupted import uninterrupted
from bot.values.messages import ThreadKey
from bot.values.turns import Match, ThreadPage, ThreadSummary, Turn

MAX_WORDS: Final = 8
"""Of a search; the rest of what was typed is not looked for."""
BEFORE_HIT, AFTER_HIT = 12, 60
"""Characters of a match that are shown around the hit."""
MAX_ID: Final = 2**63 - 1
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Listing:
    """The part of the store that lists threads and knows what they are called."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def page(
        self,
        platform: str,
        team: str,
        channel: str,
        *,
        person: str | None = None,
        with_shared: bool = True,
        words: str = "",
        limit: int | None = None,
        before: str = "",
    ) -> ThreadPage:
        """The threads of a channel that hold a question, newest first.

        `person`: only their own and, `with_shared`, those that were shared with them. `words`:
        only those in whose title, questions, answers or picture names each of them occurs, in
        whatever case and width. `before`: the `next` of the page before.

        Raises: ValueError (a `before` that no page had).
        """
        wanted = [folded(word) for word in words.split()[:MAX_WORDS]]
        condition = [
            threads.c.platform == platform,
            threads.c.team == team,
            threads.c.channel == channel,
            select(turns.c.id).where(turns.c.thread_id == threads.c.id).exists(),
            _visible(person, with_shared=with_shared),
            *(_mentions(word) for word in wanted),
        ]
        if before:
            condition.append(tuple_(threads.c.touched_at, threads.c.id) < _position(before))

        def work(connection: Connection) -> ThreadPage:
            query = (
                select(threads, shares.c.token)
                .select_from(threads.outerjoin(shares))
                .where(*condition)
                .order_by(threads.c.touched_at.desc(), threads.c.id.desc())
            )
            # One more than is shown tells whether there is a next page.
            rows = connection.execute(query.limit(None if limit is None else limit + 1)).all()
            shown = rows if limit is None else rows[:limit]
            ids = [row.id for row in shown]
            pictures = _first_pictures(connection, ids if limit is not None else None)
            matches = _matches(connection, ids, wanted) if wanted else {}
            summaries = tuple(
                ThreadSummary(
                    thread=row.thread,
                    title=row.title,
                    touched_at=row.touched_at.replace(tzinfo=UTC),
                    first_picture_number=pictures.get(row.id),
                    owner=row.owner,
                    is_shared=row.token is not None,
                    match=matches.get(row.id),
                )
                for row in shown
            )
            is_last = len(shown) == len(rows)
            return ThreadPage(threads=summaries, next=None if is_last else _cursor(shown[-1]))

        return await self._database.read(work)

    @uninterrupted
    async def rename(self, thread: ThreadKey, title: str) -> bool:
        """Give a thread a title that no answer changes; an empty one may be changed again.

        Returns: false when there is no such thread.
        """

        def work(connection: Connection) -> bool:
            renamed = connection.execute(
                update(threads).where(*is_thread(thread)).values(title=title, is_named=bool(title))
            )
            return renamed.rowcount > 0

        return await self._database.write(work)

    @uninterrupted
    async def first_turn(self, thread: ThreadKey) -> Turn | None:
        """The turn that gives a thread its title; `None`: none, or it was named by hand."""

        def work(connection: Connection) -> Turn | None:
            found = connection.execute(
                select(turns)
                .join(threads)
                .where(*is_thread(thread), threads.c.is_named.is_(False))
                .order_by(turns.c.id)
                .limit(1)
            )
            return next(iter(as_turns(connection, found.all())), None)

        return await self._database.read(work)

    @uninterrupted
    async def entitle(self, thread: ThreadKey, first: str, title: str) -> None:
        """Title a thread by its first question's message; a title that was set by hand stays."""
        first_message = (
            select(turns.c.message)
            .where(turns.c.thread_id == threads.c.id)
            .order_by(turns.c.id)
            .limit(1)
            .correlate(threads)
        )

        def work(connection: Connection) -> None:
            connection.execute(
                update(threads)
                .where(
                    *is_thread(thread),
                    threads.c.is_named.is_(False),
                    first_message.scalar_subquery() == first,
                )
                .values(title=title)
            )

        await self._database.write(work)


def _visible(person: str | None, *, with_shared: bool) -> ColumnElement[bool]:
    if person is None:
        return true()
    return visible_to(person) if with_shared else threads.c.owner == person


# -- searching --------------------------------------------------------------------------------


def _mentions(word: str) -> ColumnElement[bool]:
    """The condition that a word occurs in a thread."""
    in_turn = select(turns.c.id).where(
        turns.c.thread_id == threads.c.id,
        or_(occurs(word, turns.c.question), occurs(word, turns.c.answer)),
    )
    in_picture = (
        select(turn_pictures.c.turn_id)
        .select_from(turn_pictures.join(turns))
        .where(turns.c.thread_id == threads.c.id, occurs(word, turn_pictures.c.name))
    )
    return or_(occurs(word, threads.c.title), in_turn.exists(), in_picture.exists())


def _matches(
    connection: Connection, thread_ids: Sequence[int], words: Sequence[str]
) -> dict[int, Match]:
    """Thread → where the first of the words stands in its turns; none for a title's hit."""
    rows = connection.execute(
        select(turns.c.thread_id, turns.c.question, turns.c.answer, turn_pictures.c.name)
        .select_from(turns.outerjoin(turn_pictures))
        .where(turns.c.thread_id.in_(thread_ids))
        .order_by(turns.c.id, turn_pictures.c.position)
    )
    matches: dict[int, Match] = {}
    for row in rows:
        if row.thread_id in matches:
            continue
        found = (
            _match(place, text, word)
            for word in words
            for place, text in (
                ("question", row.question),
                ("answer", row.answer),
                ("picture", row.name),
            )
        )
        first = next((match for match in found if match is not None), None)
        if first is not None:
            matches[row.thread_id] = first
    return matches


def _match(place: str, text: str | None, word: str) -> Match | None:
    if not text or word not in folded(text):
        return None
    line = " ".join(text.split())
    # Folding may change the length, so each character is folded by itself to find the place.
    lengths = [len(folded(character)) for character in line]
    at = "".join(map(folded, line)).find(word)
    if at < 0:  # across characters that fold into one
        return Match(place=place, before="", hit="", after=line[:AFTER_HIT])
    start = _index(lengths, at)
    end = _index(lengths, at + len(word) - 1) + 1
    first = max(0, start - BEFORE_HIT)
    return Match(
        place=place,
        before=("…" if first else "") + line[first:start],
        hit=line[start:end],
        after=line[end : end + AFTER_HIT] + ("…" if len(line) > end + AFTER_HIT else ""),
    )


def _index(lengths: Sequence[int], folded_index: int) -> int:
    """The index of the character whose folded form covers an index of the folded text."""
    covered = 0
    for index, length in enumerate(lengths):
        covered += length
        if covered > folded_index:
            return index
    return len(lengths)


def _first_pictures(connection: Connection, thread_ids: Sequence[int] | None) -> dict[int, int]:
    """Thread → the number of its first picture; `None`: of all threads."""
    query = (
        select(turns.c.thread_id, func.min(turn_pictures.c.number).label("number"))
        .select_from(turn_pictures.join(turns))
        .group_by(turns.c.thread_id)
    )
    if thread_ids is not None:
        query = query.where(turns.c.thread_id.in_(thread_ids))
    return {row.thread_id: row.number for row in connection.execute(query)}


# -- pages ------------------------------------------------------------------------------------


def _cursor(row: Any) -> str:
    """Where a page ends, as text."""
    touched_us = (row.touched_at.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    return f"{touched_us}-{row.id}"


def _position(cursor: str) -> Any:
    """The reverse of `_cursor`. Raises: ValueError."""
    touched_us, _, thread_id = cursor.partition("-")
    number = int(thread_id)
    try:
        touched_at = EPOCH + timedelta(microseconds=int(touched_us))
    except OverflowError:
        raise ValueError(cursor) from None
    if abs(number) > MAX_ID:
        raise ValueError(cursor)
    return tuple_(literal(touched_at, threads.c.touched_at.type), literal(number, BigInteger))
