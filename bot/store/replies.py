"""Which messages of a platform hold a question's answer, and people's feedback on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Connection, delete, func, select

from bot.store.database import Database, StoreFailed
from bot.store.database.statements import insert_into
from bot.store.late import MAX_WAITING, LateWrites
from bot.store.rows import is_message, is_thread, now
from bot.store.schema import feedback, inbox, replies, threads
from bot.store.uninterrupted import uninterrupted
from bot.values.messages import MessageKey, ThreadKey
from inference.metrics import Counter

FILE = -2
"""The `part` of the file beside an answer."""
NOTICE = -1
"""The `part` of the message that repeats a question which nobody else could see."""

FEEDBACK = Counter(
    "feedback", "Times that somebody called an answer good or bad.", ("platform", "rating")
)


class Replies:
    """The replies' part of the store.

    A failing store holds no reply up: writes are then done late. Reads find what waits to be
    written, too, and nothing else where the store cannot be read.
    """

    def __init__(self, database: Database, late: LateWrites) -> None:
        self._database = database
        self._late = late
        self._unwritten: LRUCache[tuple[ThreadKey, str], dict[int, str]] = LRUCache(MAX_WAITING)
        """Thread and question → its parts that the store does not hold yet."""

    @uninterrupted
    async def remember_part(
        self, thread: ThreadKey, question: MessageKey, part: int, reply: str
    ) -> None:
        """Remember the message that holds a part; does nothing if the thread was erased."""
        await self._remember(thread, question, part, reply)

    @uninterrupted
    async def remember_notice(self, thread: ThreadKey, question: MessageKey, notice: str) -> None:
        """Remember the message that repeats a question from a modal or a command."""
        await self._remember(thread, question, NOTICE, notice)

    @uninterrupted
    async def remember_file(self, thread: ThreadKey, question: MessageKey, file: str) -> None:
        """Remember the file beside an answer."""
        await self._remember(thread, question, FILE, file)

    async def _remember(
        self, thread: ThreadKey, question: MessageKey, part: int, reply: str
    ) -> None:
        def work(connection: Connection) -> None:
            found = connection.execute(select(threads.c.id).where(*is_thread(thread)))
            thread_id = found.scalar_one_or_none()
            if thread_id is None:
                return
            made = insert_into(connection, replies).values(
                thread_id=thread_id, message=question.message, part=part, reply=reply
            )
            connection.execute(
                made.on_conflict_do_update(
                    index_elements=["thread_id", "message", "part"],
                    set_={"reply": made.excluded.reply},
                )
            )

        key = thread, question.message
        self._unwritten.setdefault(key, {})[part] = reply

        async def write() -> None:
            await self._database.write(work)
            unwritten = self._unwritten.get(key, {})
            if unwritten.get(part) == reply:
                del unwritten[part]
            if not unwritten:
                self._unwritten.pop(key, None)

        await self._write(write)

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write now or late, but in order: a forgotten part must not come back."""
        try:
            await self._late.flush()
            await write()
        except StoreFailed:
            self._late.add(write)

    @uninterrupted
    async def of_question(self, thread: ThreadKey, question: MessageKey) -> dict[int, str]:
        """Part (from 0) → message that holds it; empty where the store cannot be read."""
        messages = await self._read(thread, question)
        return {part: reply for part, reply in messages.items() if part >= 0}

    @uninterrupted
    async def notice_of(self, thread: ThreadKey, question: MessageKey) -> str | None:
        """The message that repeats a question; `None`: not known, or the store cannot be read."""
        return (await self._read(thread, question)).get(NOTICE)

    @uninterrupted
    async def file_of(self, thread: ThreadKey, question: MessageKey) -> str | None:
        """The file beside an answer; `None`: none is known, or the store cannot be read."""
        return (await self._read(thread, question)).get(FILE)

    @uninterrupted
    async def messages_of(self, thread: ThreadKey, question: MessageKey) -> list[str]:
        """Every message of the bot's for a question: its notice, its reply's parts, its file."""
        return list((await self._read(thread, question)).values())

    async def _read(self, thread: ThreadKey, question: MessageKey) -> dict[int, str]:
        def work(connection: Connection) -> dict[int, str]:
            found = connection.execute(
                select(replies.c.part, replies.c.reply)
                .join(threads)
                .where(*is_thread(thread), replies.c.message == question.message)
                .order_by(replies.c.part)
            )
            return {row.part: row.reply for row in found}

        unwritten = self._unwritten.get((thread, question.message), {})
        try:
            return await self._database.read(work) | unwritten
        except StoreFailed:
            return dict(unwritten)

    @uninterrupted
    async def thread_of(self, platform: str, reply: str) -> ThreadKey | None:
        """The thread of the answer that a message holds; `None`: it holds none."""

        def work(connection: Connection) -> ThreadKey | None:
            found = connection.execute(
                select(threads.c.platform, threads.c.team, threads.c.channel, threads.c.thread)
                .select_from(replies.join(threads))
                .where(threads.c.platform == platform, replies.c.reply == reply)
                .limit(1)
            )
            row = found.first()
            return None if row is None else ThreadKey(**row._mapping)

        return await self._database.read(work)

    @uninterrupted
    async def of_thread(self, thread: ThreadKey) -> set[str]:
        """All messages of the bot's for a thread's questions."""

        def work(connection: Connection) -> set[str]:
            found = connection.execute(
                select(replies.c.reply).join(threads).where(*is_thread(thread))
            )
            return set(found.scalars())

        unwritten = [parts for (its, _), parts in self._unwritten.items() if its == thread]
        return (await self._database.read(work)).union(*(parts.values() for parts in unwritten))

    @uninterrupted
    async def forget_parts(
        self, thread: ThreadKey, question: MessageKey, *, from_part: int = 0
    ) -> None:
        """Forget parts that are no longer there."""
        await self._forget(thread, question, lambda part: part >= from_part)

    @uninterrupted
    async def forget_file(self, thread: ThreadKey, question: MessageKey) -> None:
        """Forget a file that is no longer there."""
        await self._forget(thread, question, lambda part: part == FILE)

    async def _forget(
        self, thread: ThreadKey, question: MessageKey, is_gone: Callable[[Any], Any]
    ) -> None:
        """`is_gone`: of a part's number, or of the column of them."""
        thread_id = select(threads.c.id).where(*is_thread(thread)).scalar_subquery()

        def work(connection: Connection) -> None:
            connection.execute(
                delete(replies).where(
                    replies.c.thread_id == thread_id,
                    replies.c.message == question.message,
                    is_gone(replies.c.part),
                )
            )

        unwritten = self._unwritten.get((thread, question.message), {})
        for part in [part for part in unwritten if is_gone(part)]:
            del unwritten[part]
        await self._write(partial(self._database.write, work))

    @uninterrupted
    async def rate(self, question: MessageKey, author: str, *, good: bool) -> bool:
        """Save a person's latest feedback on an answer. False: no such question."""

        def work(connection: Connection) -> bool:
            found = connection.execute(
                select(inbox.c.thread_id).where(*is_message(question)).limit(1)
            )
            thread_id = found.scalar_one_or_none()
            if thread_id is None:
                return False
            connection.execute(
                insert_into(connection, feedback)
                .values(thread_id=thread_id, message=question.message, author=author, good=good)
                .on_conflict_do_update(
                    index_elements=["thread_id", "message", "author"], set_={"good": good}
                )
            )
            return True

        is_known = await self._database.write(work)
        if is_known:
            FEEDBACK.add(question.platform, "good" if good else "bad")
        return is_known

    @uninterrupted
    async def withdraw(self, thread: ThreadKey, question: MessageKey, author: str) -> None:
        """Take a person's feedback on an answer back."""
        thread_id = select(threads.c.id).where(*is_thread(thread)).scalar_subquery()

        def work(connection: Connection) -> None:
            connection.execute(
                delete(feedback).where(
                    feedback.c.thread_id == thread_id,
                    feedback.c.message == question.message,
                    feedback.c.author == author,
                )
            )

        await self._database.write(work)

    @uninterrupted
    async def ratings_by(self, thread: ThreadKey, author: str) -> dict[str, bool]:
        """A person's feedback in a thread: question → whether its answer is good."""

        def work(connection: Connection) -> dict[str, bool]:
            found = connection.execute(
                select(feedback.c.message, feedback.c.good)
                .join(threads)
                .where(*is_thread(thread), feedback.c.author == author)
            )
            return {row.message: row.good for row in found}

        return await self._database.read(work)

    @uninterrupted
    async def ratings(
        self, platform: str | None = None, team: str | None = None, *, age: timedelta
    ) -> tuple[int, int]:
        """(good, bad) feedback in threads used within `age`; `None`: of all of them."""
        of_these = [
            column == value
            for column, value in ((threads.c.platform, platform), (threads.c.team, team))
            if value is not None
        ]

        def work(connection: Connection) -> tuple[int, int]:
            found = connection.execute(
                select(feedback.c.good, func.count())
                .join(threads)
                .where(*of_these, threads.c.touched_at >= now() - age)
                .group_by(feedback.c.good)
            )
            counted = {bool(good): int(count) for good, count in found}
            return counted.get(True, 0), counted.get(False, 0)

        return await self._database.read(work)
