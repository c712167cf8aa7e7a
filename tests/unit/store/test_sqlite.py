"""What is SQLite's own: its file, its safety, its versions."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from bot.store import DatabaseUnusable, StoreFailed, running_store
from bot.store.database import sqlite
from bot.store.database.sqlite import migrate
from bot.store.schema import inbox
from tests.store_faults import FAULTS
from tests.unit.store.questions import BLUE, RED, THREAD, ask, ending, incoming, new


def database_bytes(folder: Path) -> bytes:
    """All that lies on disk of the database, its log included."""
    return b"".join(file.read_bytes() for file in folder.glob("llava-bot.db*"))


def names_in(folder: Path) -> set[str]:
    return {it.name for it in folder.iterdir()}


async def test_a_forgotten_thread_leaves_no_text_on_disk(tmp_path: Path) -> None:
    async with running_store(tmp_path) as store:
        await ask(store, incoming("m1", text="secret-question"), new(RED), new(BLUE))
        await store.answer_turn(incoming("m1"), ending("secret-answer"))
        assert b"secret" in database_bytes(tmp_path)
        assert await store.forget_thread(THREAD)
        assert b"secret" not in database_bytes(tmp_path)


async def test_the_database_is_private_and_crash_safe(tmp_path: Path) -> None:
    def work(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    async with running_store(tmp_path) as store:
        pragmas = await store.database.read(work)
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


@pytest.mark.parametrize(
    "name",
    ["why?a=b#c%41 d", "?mode=memory", "file:x", "100%", ":memory:", "a;b&c", "'\"", "写真 é"],
)
async def test_the_database_lies_in_its_folder_whatever_that_is_called(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / name
    async with running_store(folder) as store:
        await ask(store, incoming(), new(RED))
        # Slack's SDK has connections of its own.
        engine = await asyncio.to_thread(store.installations.make_engine)
        async with engine.connect() as connection:
            assert (await connection.execute(select(func.count(inbox.c.id)))).scalar() == 1
        await engine.dispose()
    assert names_in(tmp_path) == {name}
    assert names_in(folder) == {"llava-bot.db", "pictures"}
    async with running_store(folder) as store:
        assert len(await store.turns(THREAD)) == 1


def refusal_at_start(path: Path) -> str:
    with pytest.raises(DatabaseUnusable) as failed:
        migrate(path)
    sentence = str(failed.value)
    assert sentence.startswith(f"The database {path} ")
    assert "\n" not in sentence
    return sentence


def test_a_file_that_is_no_database_or_a_damaged_one_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "none.db").write_bytes(b"not a database at all, " * 100)
    assert "is damaged, or is no database (file is not a database): restore it" in refusal_at_start(
        tmp_path / "none.db"
    )
    damaged = tmp_path / "damaged.db"
    migrate(damaged, to="0001")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "is damaged, or is no database (database disk image is malformed)" in refusal_at_start(
        damaged
    )


def test_a_locked_a_full_a_read_only_and_a_missing_place_are_each_called_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "llava-bot.db"
    migrate(path, to="0001")
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "is locked by another program (database is locked): wait" in refusal_at_start(path)
    other.close()
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "PRAGMA max_page_count = 1"))
        assert "has no room left on its disk (database or disk is full)" in refusal_at_start(path)
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "PRAGMA query_only = 1"))
        assert "cannot be written by this user (attempt to write a readonly" in refusal_at_start(
            path
        )
    (tmp_path / "folder.db").mkdir()
    assert "cannot be opened (unable to open database file): give" in refusal_at_start(
        tmp_path / "folder.db"
    )
    migrate(path)


async def test_a_newer_database_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "llava-bot.db"
    await asyncio.to_thread(migrate, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'x'")
        database.commit()
    with pytest.raises(DatabaseUnusable, match=r"comes from a newer llava-bot: bring this one up"):
        async with running_store(tmp_path):
            pass


@pytest.mark.parametrize("fault", ["locked", "replaced"])
async def test_what_an_erasure_could_not_overwrite_is_a_store_that_fails_and_is_overwritten_later(
    fault: str, tmp_path: Path
) -> None:
    async with running_store(tmp_path) as store:
        await ask(store, incoming("m1", text="secret-question"))
        with FAULTS[fault](store), pytest.raises(StoreFailed):
            await store.database.scrub()
        with reading(tmp_path / "llava-bot.db"):
            store.database.busy_s = 0.1
            with pytest.raises(StoreFailed, match="SQLITE_BUSY"):
                await store.forget_thread(THREAD)
        assert b"secret" in database_bytes(tmp_path)
        await store.forget_thread(THREAD)  # as the late write does
        assert b"secret" not in database_bytes(tmp_path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Somebody else reads the database as it is now, for as long as the context lasts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM inbox").fetchone()
        yield


async def test_a_database_of_the_first_version_keeps_its_questions(tmp_path: Path) -> None:
    await asyncio.to_thread(migrate, tmp_path / "llava-bot.db", to="0001")
    database = sqlite3.connect(tmp_path / "llava-bot.db")
    database.execute("INSERT INTO threads VALUES (1, 'web', 't', 'c', '1', 'Old', '2026-11-22')")
    old = json.dumps(incoming().to_json())
    database.execute(
        "INSERT INTO inbox VALUES (1, 'web', 't', 'c', 'm1', 0, 1, ?, 0, '2026-11-22', NULL)",
        (old,),
    )
    database.commit()
    database.close()
    async with running_store(tmp_path) as store:
        assert await store.inbox.unfinished() == [incoming()]
        assert await store.title(THREAD) == "Old"


async def test_an_sqlite_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr("sqlite3.sqlite_version", "3.34.1")
    with pytest.raises(DatabaseUnusable, match=r"has SQLite 3\.34\.1, .* needs 3\.35 or newer"):
        async with running_store(tmp_path):
            pass
