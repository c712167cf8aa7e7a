"""Whether what the bot remembers can be read and written: its database, and its pictures."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from bot.configuration import Configuration
from bot.platforms.findings import Finding
from bot.private_files import DATABASE
from bot.settings import revealed

BUSY_S = 5.0
DAMAGED = "stop the bot, move the file away, and put a backup in its place."


def database(configuration: Configuration) -> list[Finding]:
    """What a start would find. PostgreSQL's is left as it is; SQLite's file is read."""
    given = revealed(configuration.bot.database_url)
    if given is None:
        return _sqlite(configuration.bot.data_dir / DATABASE)
    from bot.store import DatabaseUnusable, address_of, try_postgresql

    try:
        try_postgresql(address_of(given))
    except DatabaseUnusable as exc:
        what, _, remedy = str(exc).rpartition(": ")
        return [Finding(what or str(exc), remedy or "set DATABASE_URL to another database.")]
    return [Finding("the database (DATABASE_URL)")]


def _sqlite(path: Path) -> list[Finding]:
    if not path.exists():
        return []
    from bot.store import is_known_version

    what = f"the database {path}"
    # Where there is no log beside it, no bot has it open, and reading it must not make one.
    way = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    address = f"{path.absolute().as_uri()}?{way}"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as exc:
        if exc.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            fix = "another program holds it locked: end that, or try again."
            return [Finding(f"{what} cannot be read", fix)]
        if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN:
            return [Finding(f"{what} cannot be opened", f"make {path} readable for this user.")]
        return [Finding(f"{what} is damaged", DAMAGED)]
    except TypeError:  # a table without its row
        return [Finding(f"{what} is damaged", DAMAGED)]
    if found != "ok":
        return [Finding(f"{what} is damaged", DAMAGED)]
    if not is_known_version(version):
        fix = "bring this llava-bot up to date, or set DATA_DIR to another directory."
        return [Finding(f"{what} comes from a newer llava-bot", fix)]
    return [Finding(f"{what} is whole")]


def pictures(configuration: Configuration) -> list[Finding]:
    """Where PICTURES_URL says, one is written and deleted again."""
    place = configuration.bot.pictures_at
    if place is None:
        return []
    from bot.store import PicturesUnusable, open_picture_files

    try:
        open_picture_files(place)
    except PicturesUnusable as exc:
        reason = str(exc).removeprefix("PICTURES_URL: ").rstrip(".")
        return [Finding("pictures cannot be kept where PICTURES_URL says", f"{reason}.")]
    return [Finding("the place for pictures (PICTURES_URL) can be written")]
