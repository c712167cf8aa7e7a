"""SQLite's migrations run once a session: a new database starts as they have left theirs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import Connection

from bot.store.database import sqlite
from bot.store.database.migrating import upgrade


@contextmanager
def migrating_once(folder: Path) -> Iterator[None]:
    """Run them all in `folder`; then what they made is made anew in one step, 0.1 s quicker.

    A database that has something in it is migrated as ever, and so is every database of a process
    that a test starts.
    """
    path = folder / "migrated.db"
    sqlite.migrate(path)
    with closing(sqlite3.connect(path)) as database:
        (newest,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        _begin, *statements, _commit = database.iterdump()

    def upgrade_quickly(connection: Connection, *, to: str = "head") -> None:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        if to != "head" or (tables and not _is_at(connection, newest, tables)):
            upgrade(connection, to=to)
        elif not tables:
            for statement in statements:
                connection.exec_driver_sql(statement)

    with patch.object(sqlite, "upgrade", upgrade_quickly):
        yield


def _is_at(connection: Connection, version: str, tables: Sequence[str]) -> bool:
    if "alembic_version" not in tables:
        return False
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    return found == [version]
