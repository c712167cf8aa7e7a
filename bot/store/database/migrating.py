"""Migrations, on either database."""

from __future__ import annotations

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
