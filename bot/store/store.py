"""The store's one public face.

Every method is one transaction, none blocks the loop, and none is cut short by a cancellation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.messages import Ending, IncomingMessage, MessageKey, Receipt, ThreadKey
from bot.store.channels import Channels
from bot.store.database import open_database
from bot.store.inbox import Inbox
from bot.store.picture_files import PictureFiles, suffix_of
from bot.store.replies import Replies
from bot.store.rows import (
    as_turns,
    entitle,
    is_message,
    is_thread,
    now,
    set_pictures,
    touch_thread,
    upsert_turn,
)
from bot.store.schema import feedback, inbox, pictures, replies, threads, turn_pictures, turns
from bot.store.uninterrupted import uninterrupted
from bot.store.values import NewPicture, PictureFile, StoredPicture, ThreadSummary, Turn, TurnState
from inference.types import Picture


@asynccontextmanager
async def running_store(folder: Path) -> AsyncIterator[Store]:
    """Open the store in a folder, made and migrated as needed; closed on every exit."""
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    async with open_database(folder / "llava-bot.db") as database:
        store = Store(database, PictureFiles(folder / "pictures"))
        await store.sweep()
        yield store


class Store:
    """Threads, turns and pictures; its other parts are `inbox`, `replies`, `channels`.

    Made by `running_store`.
    """

    def __init__(self, database: AsyncEngine, files: PictureFiles) -> None:
        self._database = database
        self._files = files
        self.inbox = Inbox(database)
        self.replies = Replies(database)
        self.channels = Channels(database)
        # A picture must not be swept away between its file and the row that refers to it.
        self._sweeping = asyncio.Lock()

    @property
    def database(self) -> AsyncEngine:
        """For an SDK's own stores, in tables of their own."""
        return self._database

    # -- turns --------------------------------------------------------------------------------

    @uninterrupted
    async def begin_turn(
        self,
        message: IncomingMessage,
        *,
        question: str,
        new_pictures: Sequence[NewPicture],
        receipt: Receipt,
    ) -> bool:
        """Write down a question with its pictures before it is answered.

        When it is asked again, its pictures stay as they are and `new_pictures` is ignored.
        Returns: false when its thread has been forgotten since the claim; nothing is kept then.
        """
        async with self._sweeping:
            # Files first, and before the database is locked for writing.
            await asyncio.to_thread(self._write_files, [new.picture for new in new_pictures])
            async with self._database.begin() as connection:
                thread_id = await entitle(connection, message.thread, question)
                if thread_id is not None:
                    turn_id = await upsert_turn(connection, thread_id, message, question, receipt)
                    if not message.again:
                        await set_pictures(connection, thread_id, turn_id, new_pictures)
            if thread_id is None:
                await self._sweep_files()
            return thread_id is not None

    @uninterrupted
    async def turn(self, message: IncomingMessage) -> Turn | None:
        """The turn begun for this very revision of a question, if `begin_turn` was done."""
        async with self._database.connect() as connection:
            found = await connection.execute(
                select(turns)
                .join(threads)
                .where(
                    *is_thread(message.thread),
                    turns.c.message == message.key.message,
                    turns.c.revision == message.revision,
                )
            )
            return next(iter(await as_turns(connection, found.all())), None)

    @uninterrupted
    async def answer_turn(self, message: IncomingMessage, ending: Ending) -> None:
        """Write down the answer. Nothing happens when the thread has been forgotten meanwhile."""
        thread_id = select(threads.c.id).where(*is_thread(message.thread)).scalar_subquery()
        async with self._database.begin() as connection:
            await connection.execute(
                update(turns)
                .where(
                    turns.c.thread_id == thread_id,
                    turns.c.message == message.key.message,
                    turns.c.revision == message.revision,
                )
                .values(
                    state=TurnState(ending.outcome.value),
                    answer=ending.text,
                    receipt=ending.receipt.to_json(),
                )
            )

    @uninterrupted
    async def turns(self, thread: ThreadKey) -> tuple[Turn, ...]:
        """All turns of a thread, oldest first."""
        async with self._database.connect() as connection:
            found = await connection.execute(
                select(turns).join(threads).where(*is_thread(thread)).order_by(turns.c.id)
            )
            return await as_turns(connection, found.all())

    # -- threads ------------------------------------------------------------------------------

    @uninterrupted
    async def make_thread(self, thread: ThreadKey) -> None:
        """Make a thread before its first question."""
        async with self._database.begin() as connection:
            await touch_thread(connection, thread)

    @uninterrupted
    async def title(self, thread: ThreadKey) -> str | None:
        """The thread's title, empty before its first question; `None`: no such thread."""
        async with self._database.connect() as connection:
            found = await connection.execute(select(threads.c.title).where(*is_thread(thread)))
            row = found.first()
            return None if row is None else str(row.title)

    @uninterrupted
    async def list_threads(
        self, platform: str, team: str, channel: str
    ) -> tuple[ThreadSummary, ...]:
        """The threads of a channel that hold a question, newest first."""
        first_picture = (
            select(func.min(turn_pictures.c.number))
            .select_from(turn_pictures.join(turns))
            .where(turns.c.thread_id == threads.c.id)
            .correlate(threads)
            .scalar_subquery()
        )
        has_turn = select(turns.c.id).where(turns.c.thread_id == threads.c.id).exists()
        async with self._database.connect() as connection:
            rows = await connection.execute(
                select(
                    threads.c.thread,
                    threads.c.title,
                    threads.c.touched_at,
                    first_picture.label("first_picture_number"),
                )
                .where(
                    threads.c.platform == platform,
                    threads.c.team == team,
                    threads.c.channel == channel,
                    has_turn,
                )
                .order_by(threads.c.touched_at.desc(), threads.c.id.desc())
            )
            return tuple(
                ThreadSummary(
                    thread=row.thread,
                    title=row.title,
                    touched_at=row.touched_at.replace(tzinfo=UTC),
                    first_picture_number=row.first_picture_number,
                )
                for row in rows
            )

    @uninterrupted
    async def recent_threads(
        self, platform: str, team: str, *, age: timedelta, limit: int
    ) -> list[ThreadKey]:
        """The threads touched within so long, newest first."""
        async with self._database.connect() as connection:
            found = await connection.execute(
                select(threads.c.channel, threads.c.thread)
                .where(
                    threads.c.platform == platform,
                    threads.c.team == team,
                    threads.c.touched_at >= now() - age,
                )
                .order_by(threads.c.touched_at.desc())
                .limit(limit)
            )
            return [
                ThreadKey(platform=platform, team=team, channel=row.channel, thread=row.thread)
                for row in found
            ]

    @uninterrupted
    async def forget_thread(self, thread: ThreadKey) -> bool:
        """Erase a thread with its questions and pictures; false when there is none."""
        return await self._forget(is_thread(thread)) > 0

    @uninterrupted
    async def forget_older_than(self, age: timedelta) -> int:
        """Erase the threads nobody has touched for so long. Returns: how many."""
        return await self._forget([threads.c.touched_at < now() - age])

    @uninterrupted
    async def forget_question(self, question: MessageKey) -> bool:
        """Erase a question with its pictures and its answer; false when there is none.

        Its claim stays, empty: a late copy of the message is not answered.
        """
        return await self._forget_questions(is_message(question)) > 0

    @uninterrupted
    async def forget_author(self, platform: str, team: str, author: str) -> int:
        """Erase all that a person has asked, and their opinions. Returns: how many questions."""
        async with self._database.begin() as connection:
            ours = select(threads.c.id).where(
                threads.c.platform == platform, threads.c.team == team
            )
            await connection.execute(
                delete(feedback).where(feedback.c.author == author, feedback.c.thread_id.in_(ours))
            )
        return await self._forget_questions(
            [inbox.c.platform == platform, inbox.c.team == team, inbox.c.author == author]
        )

    async def _forget_questions(self, condition: Sequence[Any]) -> int:
        async with self._sweeping:
            async with self._database.begin() as connection:
                asked = select(inbox.c.thread_id, inbox.c.message).where(*condition).distinct()
                gone = await connection.execute(
                    delete(turns).where(tuple_(turns.c.thread_id, turns.c.message).in_(asked))
                )
                for table in (replies, feedback):
                    await connection.execute(
                        delete(table).where(tuple_(table.c.thread_id, table.c.message).in_(asked))
                    )
                # A thread's title is its first question.
                emptied = select(inbox.c.thread_id).where(*condition)
                await connection.execute(
                    update(threads).where(threads.c.id.in_(emptied)).values(title="")
                )
                await connection.execute(
                    update(inbox)
                    .where(*condition)
                    .values(
                        incoming={},
                        author="",
                        ended_at=func.coalesce(inbox.c.ended_at, now()),
                    )
                )
                files = await self._unused_pictures(connection)
            await asyncio.to_thread(self._remove_files, files)
        await self._empty_log()
        return gone.rowcount

    async def _forget(self, condition: Sequence[Any]) -> int:
        async with self._sweeping:
            async with self._database.begin() as connection:
                gone = await connection.execute(delete(threads).where(*condition))
                files = await self._unused_pictures(connection)
            await asyncio.to_thread(self._remove_files, files)
        if gone.rowcount:
            await self._empty_log()
        return gone.rowcount

    async def _unused_pictures(self, connection: AsyncConnection) -> list[tuple[str, str]]:
        """Delete the rows of pictures that no turn shows. Returns: their files."""
        unused = (
            ~select(turn_pictures.c.turn_id)
            .where(turn_pictures.c.digest == pictures.c.digest)
            .exists()
        )
        swept = await connection.execute(
            delete(pictures).where(unused).returning(pictures.c.digest, pictures.c.suffix)
        )
        return [(row.digest, row.suffix) for row in swept]

    async def _empty_log(self) -> None:
        """The write-ahead log still holds the old pages: empty it."""
        async with self._database.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    # -- pictures -----------------------------------------------------------------------------

    @uninterrupted
    async def read_picture(self, stored: StoredPicture) -> Picture:
        """The picture with its bytes. Raises: OSError when its file is gone."""
        data = await self._read_file(stored.digest)
        return Picture(
            digest=stored.digest,
            data=data,
            width_px=stored.width_px,
            height_px=stored.height_px,
        )

    @uninterrupted
    async def picture_file(self, thread: ThreadKey, number: int) -> PictureFile | None:
        """A thread's picture as it lies on disk; `None`: no such picture."""
        async with self._database.connect() as connection:
            found = await connection.execute(
                select(pictures.c.digest, pictures.c.suffix)
                .join(turn_pictures)
                .join(turns)
                .join(threads)
                .where(*is_thread(thread), turn_pictures.c.number == number)
            )
            row = found.first()
        if row is None:
            return None
        data = await asyncio.to_thread(self._files.read, row.digest, row.suffix)
        return PictureFile(digest=row.digest, suffix=row.suffix, data=data)

    async def _read_file(self, digest: str) -> bytes:
        async with self._database.connect() as connection:
            found = await connection.execute(
                select(pictures.c.suffix).where(pictures.c.digest == digest)
            )
            suffix = found.scalar_one()
        return await asyncio.to_thread(self._files.read, digest, suffix)

    @uninterrupted
    async def sweep(self) -> None:
        """Remove what a crash has left behind. Call it on start."""
        async with self._sweeping:
            await self._sweep_files()

    async def _sweep_files(self) -> None:
        """Remove picture files without a row: a crash came between the two."""
        async with self._database.connect() as connection:
            known = set((await connection.execute(select(pictures.c.digest))).scalars())
        await asyncio.to_thread(self._files.keep_only, known)

    def _write_files(self, new_pictures: Sequence[Picture]) -> None:
        for picture in new_pictures:
            self._files.write(picture.digest, suffix_of(picture.data), picture.data)

    def _remove_files(self, files: Sequence[tuple[str, str]]) -> None:
        for digest, suffix in files:
            self._files.remove(digest, suffix)
