"""The inbox: every claimed question, so that each is answered once and none is lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from cachetools import LRUCache
from sqlalchemy import Connection, exists, func, select, update

from bot.errors import BeyondBound
from bot.store.database import Database
from bot.store.database.statements import insert_into
from bot.store.processes.lease import Lease
from bot.store.processes.owned import (
    end_earlier_revisions,
    has_earlier,
    is_revision,
    still_owns,
    take_over,
)
from bot.store.processes.signals import Signals
from bot.store.question_bounds import bound_reached
from bot.store.rows import (
    PENDING,
    is_message,
    is_thread,
    key_columns,
    now,
    refuse_turn,
    touch_thread,
)
from bot.store.schema import inbox, threads, turns
from bot.store.uninterrupted import uninterrupted
from bot.values.limits import BoundReached, QuestionBounds
from bot.values.messages import IncomingMessage, MessageKey, ThreadKey


@dataclass(frozen=True, slots=True)
class Claim:
    """A question that was claimed."""

    reached: BoundReached | None
    """The bound that it is beyond: it is refused."""


MAX_TAKEN = 200


class Inbox:
    """The inbox's part of the store."""

    def __init__(self, database: Database, lease: Lease, signals: Signals) -> None:
        self._database = database
        self._lease = lease
        self._signals = signals
        self._taken: LRUCache[int, IncomingMessage] = LRUCache(MAX_TAKEN)
        """Questions that another process had, by their rows: they come before newer ones here."""

    @uninterrupted
    async def claim(
        self,
        message: IncomingMessage,
        *,
        attempts: int = 0,
        bounds: QuestionBounds | None = None,
        since: float | None = None,
    ) -> Claim | None:
        """Claim a question. Returns: `None` unless it is the first claim of this revision, ever.

        Args:
            message: the question.
            attempts: 1 when its work begins now, which saves a `begin_attempt`.
            bounds: of the questions of its author and its channel. Beyond one it is claimed all the
                same, and refused in its thread, so that a restart does not answer it. `None`: it
                counts towards none.
            since: see `Database.write`.
        """

        def work(connection: Connection) -> Claim | None:
            self._lease.check(connection)
            thread_id = touch_thread(connection, message.thread)
            reached = None if bounds is None else bound_reached(connection, message, bounds)
            counts = bounds is not None and reached is None
            claimed = connection.execute(
                insert_into(connection, inbox)
                .values(
                    **key_columns(message.key),
                    revision=message.revision,
                    thread_id=thread_id,
                    author=message.author.id,
                    counts_for=message.user.id if counts else "",
                    incoming=message.to_json(),
                    attempts=attempts if reached is None else 0,
                    claimed_at=now(),
                    owner=self._lease.id,
                )
                .on_conflict_do_nothing()
            )
            if claimed.rowcount != 1:
                return None
            end_earlier_revisions(connection, message)
            if reached is not None:
                refuse_turn(connection, thread_id, message, BeyondBound(reached))
            return Claim(reached)

        return await self._database.write(work, since=since)

    @uninterrupted
    async def unfinished(self) -> list[IncomingMessage]:
        """Questions that were claimed and have not ended, oldest first."""

        def work(connection: Connection) -> list[IncomingMessage]:
            rows = connection.execute(
                select(inbox.c.incoming).where(inbox.c.ended_at.is_(None)).order_by(inbox.c.id)
            )
            return [IncomingMessage.from_json(row.incoming) for row in rows]

        return await self._database.read(work)

    @uninterrupted
    async def unfinished_of(self, thread: ThreadKey) -> list[IncomingMessage]:
        """A thread's questions that have not ended, in whatever process, oldest first."""

        def work(connection: Connection) -> list[IncomingMessage]:
            rows = connection.execute(
                select(inbox.c.incoming)
                .select_from(inbox.join(threads))
                .where(*is_thread(thread), inbox.c.ended_at.is_(None))
                .order_by(inbox.c.id)
            )
            return [IncomingMessage.from_json(row.incoming) for row in rows]

        return await self._database.read(work)

    @uninterrupted
    async def take_over(
        self, platforms: Collection[str], *, left: bool = False
    ) -> list[IncomingMessage]:
        """Own the questions of processes that have lost their lease, oldest first, some at once.

        Args:
            platforms: the names of those that this process runs.
            left: also those whose answers could not be delivered.
        """

        def work(connection: Connection) -> dict[int, IncomingMessage]:
            return take_over(connection, self._lease, platforms, left=left)

        taken = await self._database.write(work)
        self._taken.update(taken)
        return list(taken.values())

    @uninterrupted
    async def has_earlier(self, message: IncomingMessage) -> bool | None:
        """Whether a question of its thread comes first that another process has, or had.

        `None`: one does, and nobody has begun with it.
        """
        taken = tuple(self._taken)
        return await self._database.read(lambda c: has_earlier(c, message, self._lease, taken))

    @uninterrupted
    async def release(self, message: IncomingMessage) -> None:
        """Leave an answer that could not be delivered to the next start of a process."""

        def work(connection: Connection) -> None:
            connection.execute(
                update(inbox)
                .where(*is_revision(message), inbox.c.owner == self._lease.id)
                .values(owner=None)
            )

        await self._database.write(work)

    @uninterrupted
    async def begin_attempt(self, message: IncomingMessage) -> int:
        """Count an attempt to answer a question. Returns: the number of attempts so far."""

        def work(connection: Connection) -> int:
            if not still_owns(connection, message, self._lease):
                return 0
            counted = connection.execute(
                update(inbox)
                .where(*is_revision(message))
                .values(attempts=inbox.c.attempts + 1)
                .returning(inbox.c.attempts)
            )
            return int(counted.scalar_one_or_none() or 0)

        return await self._database.write(work)

    @uninterrupted
    async def end(self, message: IncomingMessage) -> None:
        """The answer was delivered: the question is never resumed."""

        def work(connection: Connection) -> None:
            if still_owns(connection, message, self._lease):
                connection.execute(
                    update(inbox).where(*is_revision(message)).values(ended_at=now())
                )
                self._signals.tell_with(connection, do="ended", thread=message.thread.thread)

        await self._database.write(work)

    @uninterrupted
    async def stop(self, key: MessageKey) -> bool:
        """Nobody answers a question any more, also after a restart; false: it is not in flight.

        The process that answers it hears of it with the transaction.
        """

        def work(connection: Connection) -> bool:
            stopped = connection.execute(
                update(inbox)
                .where(*is_message(key), inbox.c.ended_at.is_(None))
                .values(stopped_at=func.coalesce(inbox.c.stopped_at, now()))
            )
            self._signals.tell_with(connection, do="stop", **asdict(key))
            return stopped.rowcount > 0

        return await self._database.write(work)

    @uninterrupted
    async def stopped(self) -> list[MessageKey]:
        """The questions that were stopped and have not ended."""

        def work(connection: Connection) -> list[MessageKey]:
            found = connection.execute(
                select(inbox.c.platform, inbox.c.team, inbox.c.channel, inbox.c.message).where(
                    inbox.c.ended_at.is_(None), inbox.c.stopped_at.is_not(None)
                )
            )
            return [MessageKey(**row._mapping) for row in found]

        return await self._database.read(work)

    @uninterrupted
    async def is_stopped(self, message: IncomingMessage) -> bool:
        """Whether exactly this revision of a question was stopped before its answer was stored."""

        def work(connection: Connection) -> bool:
            is_answered = exists(
                select(turns.c.id).where(
                    turns.c.thread_id == inbox.c.thread_id,
                    turns.c.message == inbox.c.message,
                    turns.c.revision == inbox.c.revision,
                    turns.c.state != PENDING,
                )
            )
            found = connection.execute(
                select(inbox.c.id).where(
                    *is_revision(message), inbox.c.stopped_at.is_not(None), ~is_answered
                )
            )
            return found.first() is not None

        return await self._database.read(work)

    @uninterrupted
    async def is_unfinished(self, message: IncomingMessage) -> bool:
        """Whether exactly this revision of a question is in flight, in whatever process."""

        def work(connection: Connection) -> bool:
            found = connection.execute(
                select(inbox.c.id).where(*is_revision(message), inbox.c.ended_at.is_(None))
            )
            return found.first() is not None

        return await self._database.read(work)

    @uninterrupted
    async def put_back(self, message: IncomingMessage) -> None:
        """Leave a question to the next start; this attempt does not count."""

        def work(connection: Connection) -> None:
            if still_owns(connection, message, self._lease):
                connection.execute(
                    update(inbox).where(*is_revision(message)).values(attempts=inbox.c.attempts - 1)
                )

        await self._database.write(work)

    @uninterrupted
    async def last_incoming(self, thread: ThreadKey) -> IncomingMessage | None:
        """The latest revision of the thread's last question."""

        def work(connection: Connection) -> IncomingMessage | None:
            last = connection.execute(
                select(inbox.c.incoming)
                .select_from(inbox.join(threads).join(turns, turns.c.thread_id == threads.c.id))
                .where(*is_thread(thread), turns.c.message == inbox.c.message)
                .order_by(turns.c.id.desc(), inbox.c.revision.desc())
                .limit(1)
            )
            row = last.first()
            return None if row is None else IncomingMessage.from_json(row.incoming)

        return await self._database.read(work)

    @uninterrupted
    async def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest revision of a question; `None`: never claimed, or forgotten."""

        def work(connection: Connection) -> IncomingMessage | None:
            found = connection.execute(
                select(inbox.c.incoming)
                .where(*is_message(key))
                .order_by(inbox.c.revision.desc())
                .limit(1)
            )
            incoming = found.scalar_one_or_none()
            return IncomingMessage.from_json(incoming) if incoming else None

        return await self._database.read(work)

    @uninterrupted
    async def knows(self, key: MessageKey) -> bool:
        """Whether a question was ever claimed."""

        def work(connection: Connection) -> bool:
            found = connection.execute(select(inbox.c.id).where(*is_message(key)).limit(1))
            return found.first() is not None

        return await self._database.read(work)

    @uninterrupted
    async def of_thread(self, thread: ThreadKey) -> set[str]:
        """The messages of a thread that are questions."""

        def work(connection: Connection) -> set[str]:
            found = connection.execute(
                select(inbox.c.message).join(threads).where(*is_thread(thread))
            )
            return set(found.scalars())

        return await self._database.read(work)

    @uninterrupted
    async def has_asked(self, thread: ThreadKey, author: str) -> bool:
        """Whether a person has asked in a thread."""

        def work(connection: Connection) -> bool:
            found = connection.execute(
                select(inbox.c.id)
                .join(threads)
                .where(*is_thread(thread), inbox.c.author == author)
                .limit(1)
            )
            return found.first() is not None

        return await self._database.read(work)

    @uninterrupted
    async def last_of_thread(self, thread: ThreadKey) -> MessageKey | None:
        """The question that came last into a thread."""
        first_claim = func.min(inbox.c.id)

        def work(connection: Connection) -> MessageKey | None:
            found = connection.execute(
                select(inbox.c.platform, inbox.c.team, inbox.c.channel, inbox.c.message)
                .join(threads)
                .where(*is_thread(thread), inbox.c.author != "")
                .group_by(inbox.c.platform, inbox.c.team, inbox.c.channel, inbox.c.message)
                .order_by(first_claim.desc())
                .limit(1)
            )
            row = found.first()
            return None if row is None else MessageKey(**row._mapping)

        return await self._database.read(work)
