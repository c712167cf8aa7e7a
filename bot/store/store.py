"""The store's one public face.

Every method is one transaction, none blocks the loop, and a cancellation interrupts none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, and_, delete, or_, select, update

from bot.errors import UserFacingError
from bot.private_files import DATABASE, make_folder
from bot.store.channels import Channels, forget_chooser
from bot.store.database import Database, open_database
from bot.store.deferrals import Deferrals
from bot.store.documents import Documents
from bot.store.exporting import Exporting
from bot.store.health import StoreHealth
from bot.store.inbox import Inbox
from bot.store.installations import Installations
from bot.store.late import LateWrites
from bot.store.leases import Leases
from bot.store.listing import Listing
from bot.store.people import People
from bot.store.pictures import (
    PictureGone,
    PictureLost,
    Pictures,
    discard_unused,
    running_pictures,
    settle,
)
from bot.store.processes.lease import Lease, running_lease
from bot.store.processes.owned import still_owns
from bot.store.processes.signals import Signals, running_signals
from bot.store.replies import Replies
from bot.store.room import Room, drop_surplus_unasked
from bot.store.rows import (
    as_turns,
    erase_questions,
    erase_threads,
    find_picture,
    is_message,
    is_thread,
    now,
    set_pictures,
    set_title_if_empty,
    touch_thread,
    upsert_turn,
)
from bot.store.schema import (
    feedback,
    guests,
    inbox,
    people,
    threads,
    turns,
)
from bot.store.sharing import Sharing
from bot.store.uninterrupted import uninterrupted
from bot.store.usage import Usage, count, forget_person
from bot.values.documents import SentDocument
from bot.values.messages import Ending, IncomingMessage, MessageKey, Receipt, ThreadKey
from bot.values.picture_places import PictureFolder, PicturePlace
from bot.values.pictures import NormalisedPicture
from bot.values.turns import PictureFile, StoredPicture, Turn
from inference.types import Picture

CLAIMS_KEPT = timedelta(days=7)
HURRIED_BUSY_S = 0.5
KEYS_AT_ONCE = 200
"""Threads erased by one statement: SQLite bounds the depth of a condition."""


@asynccontextmanager
async def running_store(
    folder: Path,
    *,
    url: URL | None = None,
    pictures_at: PicturePlace | None = None,
    only_reads: bool = False,
) -> AsyncIterator[Store]:
    """Open the store in a folder, creating and migrating it as needed; closed on every exit.

    `url`: where its database is, unless that is SQLite's, in the folder. `pictures_at`: where
    pictures are kept, unless that is beside it. `only_reads`: a bot may run on it meanwhile, so
    nothing is swept, and the database knows of no further process.

    Raises:
        DatabaseUnusable: the database cannot be opened.
        PicturesUnusable: pictures cannot be kept where they should.
    """
    await asyncio.to_thread(make_folder, folder)
    place = pictures_at or PictureFolder(folder / "pictures")
    async with (
        open_database(url or folder / DATABASE) as database,
        running_pictures(database, place, sweeps=not only_reads) as kept,
        nullcontext(Lease(database)) if only_reads else running_lease(database) as lease,
        running_signals(database) as signals,
    ):
        store = Store(database, kept, lease, signals)
        try:
            yield store
        finally:
            await store.late.close()


class Store:
    """Threads, turns and pictures; its other parts are attributes of their own.

    Made by `running_store`. Where the disk or the database fails, every method raises
    `StoreFailed`; `late` takes what must be written all the same.
    """

    def __init__(self, database: Database, kept: Pictures, lease: Lease, signals: Signals) -> None:
        self._database = database
        self._pictures = kept
        self._must_scrub = False
        self.late = LateWrites()
        self.lease = lease
        self.signals = signals
        self.inbox = Inbox(database, lease, signals)
        self.replies = Replies(database, self.late)
        self.people = People(database)
        self.sharing = Sharing(database)
        self.listing = Listing(database)
        self.channels = Channels(database)
        self.deferrals = Deferrals(database)
        self.installations = Installations(database)
        self.leases = Leases(database)
        self.usage = Usage(database)
        self.exporting = Exporting(database)
        self.documents = Documents(kept)
        self.room = Room(database, self._erase)

    @property
    def database(self) -> Database:
        """What all parts share."""
        return self._database

    @property
    def health(self) -> StoreHealth:
        """How the store is at this moment, as its latest transactions show."""
        return StoreHealth(
            outages=self._database.outages.current,
            late_writes=len(self.late),
            lost_writes=self.late.num_lost,
        )

    def hurry(self) -> None:
        """Wait for other processes' locks a moment at most: this process is about to end."""
        self._database.busy_s = HURRIED_BUSY_S

    # -- turns --------------------------------------------------------------------------------

    @uninterrupted
    async def begin_turn(
        self,
        message: IncomingMessage,
        *,
        question: str,
        new_pictures: Sequence[NormalisedPicture],
        receipt: Receipt,
        documents: Sequence[SentDocument] = (),
    ) -> bool:
        """Save a question with its pictures and documents before it is answered.

        When it is asked again, its pictures stay as they are, and new ones are added: further
        pages of a document.

        Returns: false when its thread was erased after the claim, or another process has taken the
        question; then nothing is saved.
        """
        while True:
            # Files first, and before the database is locked for writing.
            files = await self._pictures.write([*(n.picture for n in new_pictures), *documents])

            def work(connection: Connection, files: dict[str, str] = files) -> bool:
                if not still_owns(connection, message, self.lease):
                    return False
                thread_id = set_title_if_empty(connection, message.thread, question)
                if thread_id is not None:
                    settle(connection, files)
                    turn_id = upsert_turn(connection, thread_id, message, question, receipt)
                    adds = message.again or message.keeps_pictures
                    if new_pictures or documents or (message.revision and not adds):
                        new = (new_pictures, documents, message.locale)
                        set_pictures(connection, thread_id, turn_id, *new, adds=adds)
                return thread_id is not None

            # Gone: this process slept for longer than a reservation lasts.
            with contextlib.suppress(PictureGone):
                begun = await self._database.write(work)
                if not begun:
                    await self._pictures.release(files)
                return begun

    @uninterrupted
    async def turn(self, message: IncomingMessage) -> Turn | None:
        """The turn that `begin_turn` saved for exactly this revision of a question, if any."""

        def work(connection: Connection) -> Turn | None:
            found = connection.execute(
                select(turns)
                .join(threads)
                .where(
                    *is_thread(message.thread),
                    turns.c.message == message.key.message,
                    turns.c.revision == message.revision,
                )
            )
            return next(iter(as_turns(connection, found.all())), None)

        return await self._database.read(work)

    @uninterrupted
    async def answer_turn(self, message: IncomingMessage, ending: Ending) -> None:
        """Save the answer, unless the thread was erased meanwhile, or the question taken.

        Its first answer counts in the usage.
        """
        thread_id = select(threads.c.id).where(*is_thread(message.thread)).scalar_subquery()

        def work(connection: Connection) -> None:
            if not still_owns(connection, message, self.lease):
                return
            connection.execute(
                update(turns)
                .where(
                    turns.c.thread_id == thread_id,
                    turns.c.message == message.key.message,
                    turns.c.revision == message.revision,
                )
                .values(
                    state=ending.outcome,
                    answer=ending.text,
                    receipt=ending.receipt.to_json(),
                    may_pass=ending.may_pass,
                    model=ending.spent.model,
                )
            )
            count(connection, message, ending)

        await self._database.write(work)

    @uninterrupted
    async def turns(self, thread: ThreadKey) -> tuple[Turn, ...]:
        """All turns of a thread, oldest first."""

        def work(connection: Connection) -> tuple[Turn, ...]:
            found = connection.execute(
                select(turns).join(threads).where(*is_thread(thread)).order_by(turns.c.id)
            )
            return as_turns(connection, found.all())

        return await self._database.read(work)

    # -- threads ------------------------------------------------------------------------------

    @uninterrupted
    async def make_thread(self, thread: ThreadKey, *, owner: str = "") -> None:
        """Create a thread before its first question; `owner`: whose it is, if a person's."""

        def work(connection: Connection) -> None:
            touch_thread(connection, thread, owner=owner)
            if owner:
                drop_surplus_unasked(connection, owner)

        await self._database.write(work)

    @uninterrupted
    async def title(self, thread: ThreadKey) -> str | None:
        """The thread's title, empty before its first question; `None`: no such thread."""

        def work(connection: Connection) -> str | None:
            found = connection.execute(select(threads.c.title).where(*is_thread(thread)))
            row = found.first()
            return None if row is None else str(row.title)

        return await self._database.read(work)

    @uninterrupted
    async def recent_threads(
        self, platform: str, team: str, *, age: timedelta, limit: int
    ) -> list[ThreadKey]:
        """The threads used within `age`, newest first."""

        def work(connection: Connection) -> list[ThreadKey]:
            found = connection.execute(
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

        return await self._database.read(work)

    @uninterrupted
    async def forget_thread(self, thread: ThreadKey) -> bool:
        """Erase a thread with its questions and pictures; false when there is none."""
        return await self._forget(is_thread(thread)) > 0

    @uninterrupted
    async def forget_threads(self, keys: Sequence[ThreadKey]) -> int:
        """Erase several threads with their questions and pictures. Returns: how many."""
        count = 0
        for start in range(0, len(keys), KEYS_AT_ONCE):
            of_keys = [and_(*is_thread(key)) for key in keys[start : start + KEYS_AT_ONCE]]
            count += await self._forget([or_(*of_keys)])
        return count

    @uninterrupted
    async def forget_older_than(self, age: timedelta) -> int:
        """Erase the threads that were not used within `age`. Returns: how many.

        Claims that erased threads left behind go as well, once no platform can redeliver their
        messages.
        """

        def work(connection: Connection) -> None:
            old = now() - CLAIMS_KEPT
            connection.execute(
                delete(inbox).where(inbox.c.thread_id.is_(None), inbox.c.claimed_at < old)
            )

        await self._database.write(work)
        return await self._forget([threads.c.touched_at < now() - age])

    @uninterrupted
    async def forget_question(self, question: MessageKey) -> bool:
        """Erase a question with its pictures and its answer; false when there is none.

        Its claim stays, empty: a late copy of the message is not answered.
        """
        return await self._forget_questions(is_message(question)) > 0

    @uninterrupted
    async def forget_author(self, platform: str, team: str | None, author: str) -> int:
        """Erase all that a person asked, their own threads, and what they chose.

        `team`: `None` is every team. Returns: how many questions.
        """
        places = [threads.c.platform == platform]
        questions = [inbox.c.platform == platform, inbox.c.author == author]
        if team is not None:
            places.append(threads.c.team == team)
            questions.append(inbox.c.team == team)

        def work(connection: Connection) -> None:
            ours = select(threads.c.id).where(*places)
            connection.execute(
                delete(feedback).where(feedback.c.author == author, feedback.c.thread_id.in_(ours))
            )
            connection.execute(
                delete(people).where(people.c.platform == platform, people.c.person == author)
            )
            forget_person(connection, platform, team, author)
            forget_chooser(connection, platform, team, author)
            connection.execute(
                update(inbox)
                .where(inbox.c.platform == platform, inbox.c.counts_for == author)
                .where(*([] if team is None else [inbox.c.team == team]))
                .values(counts_for="")
            )
            connection.execute(
                delete(guests).where(guests.c.person == author, guests.c.thread_id.in_(ours))
            )

        await self._database.write(work)
        count = await self._forget_questions(questions)
        await self._forget([*places, threads.c.owner == author])
        return count

    async def _forget_questions(self, condition: Sequence[Any]) -> int:
        return await self._erase(lambda connection: erase_questions(connection, condition))

    async def _forget(self, condition: Sequence[Any]) -> int:
        return await self._erase(lambda connection: erase_threads(connection, condition))

    async def _erase(self, work: Callable[[Connection], int]) -> int:
        """Erase rows, and the pictures that nothing refers to any more."""

        def erase(connection: Connection) -> int:
            count = work(connection)
            discard_unused(connection)
            return count

        count = await self._database.write(erase)
        # Until it has succeeded once: an erasure that is tried again finds no rows.
        self._must_scrub = self._must_scrub or count > 0
        if self._must_scrub:
            await self._database.scrub()
            self._must_scrub = False
        await self._pictures.remove_discarded()
        return count

    # -- pictures -----------------------------------------------------------------------------

    @uninterrupted
    async def read_picture(self, stored: StoredPicture) -> Picture:
        """The picture with its bytes.

        Raises: UserFacingError: its file is gone or was changed; StoreFailed.
        """
        try:
            data = await self._pictures.read(stored.file, stored.digest)
        except PictureLost:
            raise UserFacingError("picture_lost", number=stored.number, name=stored.name) from None
        return Picture(
            digest=stored.digest,
            data=data,
            width_px=stored.width_px,
            height_px=stored.height_px,
        )

    @uninterrupted
    async def picture_file(self, thread: ThreadKey, number: int) -> PictureFile | None:
        """A thread's picture as it is on disk; `None`: there is none, or its file was changed."""
        found = await self._database.read(
            lambda connection: find_picture(connection, thread, number)
        )
        if found is None:
            return None
        digest, suffix, file = found
        try:
            data = await self._pictures.read(file, digest)
        except PictureLost:
            return None
        return PictureFile(digest=digest, suffix=suffix, data=data)
