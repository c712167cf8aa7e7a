"""Migrations, on either database."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def upgrade(connection: Connection, *, to: str = "head") -> None:
    """Migrate within the connection's transaction. Blocking: it reads the migrations' files."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def is_known_version(version: str) -> bool:
    """Whether this llava-bot has the migration that a database is at. Blocking, as above."""
    return any(
        migration.revision == version
        for migration in ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    )


def is_current(file: Path) -> bool:
    """Whether SQLite's file has every migration and no other; it is only read. Blocking."""
    address = f"{file.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return False
    return bool(found == (ScriptDirectory(str(MIGRATIONS)).get_current_head(),))
