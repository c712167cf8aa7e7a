"""What a directory holds after the bot has ended, and what of it should not be there."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.private_files import DATABASE


@contextmanager
def _database(data_dir: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection:
        yield connection


def states(data_dir: Path) -> Counter[str]:
    """How many turns are in which state."""
    with _database(data_dir) as database:
        return Counter(dict(database.execute("SELECT state, count(*) FROM turns GROUP BY state")))


def leftovers_on_disk(data_dir: Path) -> list[str]:
    """Each thing that is broken, unended or orphaned."""
    found: list[str] = []
    with _database(data_dir) as database:
        (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
        if integrity != "ok":
            found.append(f"the database: {integrity}")
        found += [
            f"the inbox: {platform} {message} has no end"
            for platform, message in database.execute(
                "SELECT platform, message FROM inbox WHERE ended_at IS NULL"
            )
        ]
        found += [
            f"a turn: {message} is in the state {state}"
            for message, state in database.execute(
                "SELECT message, state FROM turns WHERE answer IS NULL"
            )
        ]
        files = dict(database.execute("SELECT digest, file FROM pictures"))
        reserved = {
            digest
            for (digest,) in database.execute(
                "SELECT digest FROM pictures WHERE reserved_until IS NOT NULL"
            )
        }
        shown = {digest for (digest,) in database.execute("SELECT digest FROM turn_pictures")}
    on_disk = {it.name for it in (data_dir / "pictures").rglob("*") if it.is_file()}
    found += [
        f"a picture without its file: {digest}"
        for digest in sorted(shown)
        if Path(files[digest]).name not in on_disk
    ]
    # What a crash left between a picture's row and its turn goes within the hour.
    found += [f"a picture of no turn: {it}" for it in sorted(files.keys() - shown - reserved)]
    orphans = on_disk - {Path(name).name for name in files.values()}
    found += [f"a file of no picture: {name}" for name in sorted(orphans)]
    uploads = data_dir / "uploads"
    found += [f"an upload is left: {it.name}" for it in uploads.glob("*")]
    found += [
        f"a temporary file: {it.name}"
        for it in data_dir.rglob("*")
        if it.suffix in {".part", ".tmp"} or it.name == "ballast"
    ]
    return found
