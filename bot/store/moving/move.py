"""From a folder with SQLite and pictures into PostgreSQL and where pictures are kept there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, func, select

from bot.errors import CommandFailed
from bot.private_files import DATABASE, FILE
from bot.store.database import DatabaseUnusable, StoreFailed, open_database, store_failures
from bot.store.database.sqlite import migrate
from bot.store.moving.rows import copy, digest_of, is_empty, lock, moved_tables
from bot.store.pictures.files import PictureFiles
from bot.store.pictures.folder import FolderFiles
from bot.store.pictures.keeping import NUM_THREADS, Pictures
from bot.store.pictures.opening import open_picture_files
from bot.store.pictures.rows import identify
from bot.store.schema import identity, pictures
from bot.values.picture_places import PicturePlace

Progress = Callable[[str, int, int], object]
"""(what: ``rows`` or ``pictures``, how many more are done, how many there are)."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved."""

    rows: dict[str, int]
    """By table."""
    num_pictures: int
    num_bytes: int
    missing: int
    """Pictures whose file was gone before; their threads show them as gone, as they did."""

    def summary(self) -> list[str]:
        """For the operator, a line each."""
        counts = {name: self.rows[name] for name in ("threads", "turns", "inbox")}
        what = (
            f"Moved and compared: {counts['threads']} threads, {counts['turns']} turns, "
            f"{sum(self.rows.values())} rows in all, {self.num_pictures} pictures "
            f"({self.num_bytes / 1e6:.1f} MB)."
        )
        lines = [
            what,
            "The folder is as it was: remove it when the bot runs well on the new database.",
        ]
        if self.missing:
            lines.append(f"{self.missing} pictures were gone before; their threads stay without.")
        return lines


async def move_store(source: Path, url: URL, place: PicturePlace, progress: Progress) -> Moved:
    """Copy the store in a folder into an empty database, and its pictures to a place.

    All rows appear at once, when everything has been compared: until then the database stays
    empty, and the same command begins again. The source is only read.

    Raises:
        CommandFailed: nothing was moved; one sentence.
    """
    if not (source / DATABASE).is_file():
        raise CommandFailed(f"{source} holds no store of the bot's: there is no {DATABASE}.")
    with _nobody_runs_on(source):
        try:
            with (
                store_failures(),
                tempfile.TemporaryDirectory(prefix="llava-bot-") as folder,
            ):
                copied = await asyncio.to_thread(_copy_of_database, source, Path(folder))
                with _disposing(copied) as engine:
                    return await _move(source, engine, url, place, progress)
        except StoreFailed as exc:
            raise CommandFailed(
                f"The store could not be moved ({exc.reason}). The database is as empty as before, "
                "and the same command begins again."
            ) from None


@contextmanager
def _disposing(database: Path) -> Iterator[Engine]:
    engine = create_engine(URL.create("sqlite", database=str(database)), hide_parameters=True)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _nobody_runs_on(source: Path) -> Iterator[None]:
    running = FileLock(source / "run.lock", mode=FILE)
    try:
        running.acquire(blocking=False)
    except Timeout:
        raise CommandFailed(f"A bot runs on {source}: stop it first.") from None
    try:
        yield
    finally:
        running.release()


def _copy_of_database(source: Path, folder: Path) -> Path:
    """A copy with the newest schema: the source may be of an earlier version, and stays so."""
    for name in (DATABASE, f"{DATABASE}-wal"):
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
    try:
        migrate(folder / DATABASE)
    except DatabaseUnusable as exc:  # nobody knows the copy
        raise CommandFailed(str(exc).replace(str(folder), str(source))) from None
    return folder / DATABASE


async def _move(
    source: Path, engine: Engine, url: URL, place: PicturePlace, progress: Progress
) -> Moved:
    async with open_database(url) as database:
        if not await database.read(is_empty):
            raise CommandFailed(
                "The database that DATABASE_URL names is not empty: name one that no bot has used."
            )
        # The source may have kept its pictures at this very place, and marked it.
        ours = await asyncio.to_thread(_identity_of, engine)
        await database.write(partial(identify, chosen=ours))
        files = await asyncio.to_thread(open_picture_files, place)
        kept = Pictures(database, files)
        try:
            await kept.claim_place()
        finally:
            await asyncio.to_thread(kept.close)
        num_pictures, num_bytes, missing = await _move_pictures(source, engine, files, progress)
        rows = await database.write(partial(_move_rows, engine, progress))
        return Moved(rows, num_pictures, num_bytes, missing)


def _identity_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return connection.execute(select(identity.c.id)).scalar()


def _pictures_of(engine: Engine) -> list[tuple[str, str]]:
    """(digest, file) of each."""
    with engine.connect() as connection:
        rows = connection.execute(select(pictures.c.digest, pictures.c.file))
        return [(row.digest, row.file) for row in rows]


def _move_rows(engine: Engine, progress: Progress, target: Connection) -> dict[str, int]:
    lock(target)
    if not is_empty(target):
        raise CommandFailed("A bot has begun to use the database that DATABASE_URL names: stop it.")
    moved: dict[str, int] = {}
    with engine.connect() as source:
        num_rows = sum(
            source.execute(select(func.count()).select_from(table)).scalar_one()
            for table in moved_tables()
        )
        for table in moved_tables():
            digest = copy(source, target, table, lambda done: progress("rows", done, num_rows))
            if digest_of(target, table) != digest:
                raise CommandFailed(
                    f"The table {table.name} is not the same after it was copied. Nothing was "
                    "moved: the database is as empty as before."
                )
            moved[table.name] = digest.num_rows
    return moved


async def _move_pictures(
    source: Path, engine: Engine, target: PictureFiles, progress: Progress
) -> tuple[int, int, int]:
    """Copy and compare every picture. Returns: how many, their bytes, and how many were gone."""
    found = await asyncio.to_thread(_pictures_of, engine)
    own = FolderFiles(source / "pictures", is_shared=False)
    waiting = iter(found)
    sizes: list[int | None] = []

    async def worker() -> None:
        for digest, file in waiting:
            sizes.append(await asyncio.to_thread(_move_picture, own, target, digest, file))
            progress("pictures", 1, len(found))

    ends = await asyncio.gather(*(worker() for _ in range(NUM_THREADS)), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
    kept = [size for size in sizes if size is not None]
    return len(kept), sum(kept), len(sizes) - len(kept)


def _move_picture(own: PictureFiles, target: PictureFiles, digest: str, file: str) -> int | None:
    """Returns: its bytes; `None`: it is nowhere. Raises: CommandFailed."""
    with store_failures():
        # Not in the folder: the source may have kept its pictures where they are to be.
        with contextlib.suppress(FileNotFoundError):
            target.write(file, own.read(file))
        try:
            data = target.read(file)
        except FileNotFoundError:
            return None
    if hashlib.sha256(data).hexdigest() != digest:
        raise CommandFailed(
            f"The picture {file} is damaged, in the folder or where it was copied to. Nothing was "
            "moved: the database is as empty as before."
        )
    return len(data)
