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

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Ending, IncomingMessage, Receipt, ThreadKey
from bot.store.database import open_database
from bot.store.picture_files import PictureFiles, suffix_of
from bot.store.rows import (
    as_turns,
    entitle,
    is_message,
    is_thread,
    key_columns,
    now,
    set_pictures,
    touch_thread,
    upsert_turn,
)
from bot.store.schema import inbox, pictures, threads, turn_pictures, turns
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
    """Threads, turns, pictures and the inbox. Made by `running_store`."""

    def __init__(self, database: AsyncEngine, files: PictureFiles) -> None:
        self._database = database
        self._files = files
        # A picture must not be swept away between its file and the row that refers to it.
        self._sweeping = asyncio.Lock()

    # -- the inbox ----------------------------------------------------------------------------

    @uninterrupted
    async def claim(self, message: IncomingMessage) -> bool:
        """Take a question: true for the first caller of this message and revision, ever."""
        async with self._database.begin() as connection:
            thread_id = await touch_thread(connection, message.thread)
            claimed = await connection.execute(
                sqlite_insert(inbox)
                .values(
                    **key_columns(message.key),
                    revision=message.revision,
                    thread_id=thread_id,
                    incoming=message.to_json(),
                    claimed_at=now(),
                )
                .on_conflict_do_nothing()
            )
            return claimed.rowcount == 1

    @uninterrupted
    async def unfinished(self) -> list[IncomingMessage]:
        """Questions claimed and never ended, oldest first."""
        async with self._database.connect() as connection:
            rows = await connection.execute(
                select(inbox.c.incoming).where(inbox.c.ended_at.is_(None)).order_by(inbox.c.id)
            )
            return [IncomingMessage.from_json(row.incoming) for row in rows]

    @uninterrupted
    async def begin_attempt(self, message: IncomingMessage) -> int:
        """Count an attempt to answer a question. Returns: how many there are now."""
        async with self._database.begin() as connection:
            counted = await connection.execute(
                update(inbox)
                .where(*is_message(message.key), inbox.c.revision == message.revision)
                .values(attempts=inbox.c.attempts + 1)
                .returning(inbox.c.attempts)
            )
            return int(counted.scalar_one_or_none() or 0)

    @uninterrupted
    async def end(self, message: IncomingMessage) -> None:
        """The answer has landed: the question is never taken up again."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(inbox)
                .where(*is_message(message.key), inbox.c.revision == message.revision)
                .values(ended_at=now())
            )

    @uninterrupted
    async def put_back(self, message: IncomingMessage) -> None:
        """Leave a question to the next start, through no fault of its own: no attempt counts."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(inbox)
                .where(*is_message(message.key), inbox.c.revision == message.revision)
                .values(attempts=inbox.c.attempts - 1)
            )

    @uninterrupted
    async def last_incoming(self, thread: ThreadKey) -> IncomingMessage | None:
        """The latest revision of the thread's last question."""
        async with self._database.connect() as connection:
            last = await connection.execute(
                select(inbox.c.incoming)
                .select_from(inbox.join(threads).join(turns, turns.c.thread_id == threads.c.id))
                .where(*is_thread(thread), turns.c.message == inbox.c.message)
                .order_by(turns.c.id.desc(), inbox.c.revision.desc())
                .limit(1)
            )
            row = last.first()
            return None if row is None else IncomingMessage.from_json(row.incoming)

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
    async def forget_thread(self, thread: ThreadKey) -> bool:
        """Erase a thread with its questions and pictures; false when there is none."""
        return await self._forget(is_thread(thread)) > 0

    @uninterrupted
    async def forget_older_than(self, age: timedelta) -> int:
        """Erase the threads nobody has touched for so long. Returns: how many."""
        return await self._forget([threads.c.touched_at < now() - age])

    async def _forget(self, condition: Sequence[Any]) -> int:
        async with self._sweeping:
            async with self._database.begin() as connection:
                gone = await connection.execute(delete(threads).where(*condition))
                unused = (
                    ~select(turn_pictures.c.turn_id)
                    .where(turn_pictures.c.digest == pictures.c.digest)
                    .exists()
                )
                swept = await connection.execute(
                    delete(pictures).where(unused).returning(pictures.c.digest, pictures.c.suffix)
                )
                files = [(row.digest, row.suffix) for row in swept]
            await asyncio.to_thread(self._remove_files, files)
        if gone.rowcount:
            # The write-ahead log still holds the old pages: empty it.
            async with self._database.connect() as connection:
                await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return gone.rowcount

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
