"""Faults of a database, each of which passes: locked by a backup, full, read-only, replaced."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bot.store import Store
from bot.store.database.sqlite import SqliteDatabase
from bot.texts import say

LONG = "word " * 4000
"""A text that needs new pages, so that a full disk cannot take it."""
WIDE = "what " + "é" * 1200
"""The same for platforms with 2,000 characters per message: each takes six bytes in the inbox."""

STEPS = {
    "claim": "INSERT ON inbox",
    "begin_turn": "INSERT ON turns",
    "answer_turn": "UPDATE OF answer ON turns",
    "end": "UPDATE OF ended_at ON inbox",
}
"""A step of a question's life → what it alone does to the database."""
WRITES = STEPS | {"settings_log": "INSERT ON settings_log"}


def _sqlite(store: Store) -> SqliteDatabase:
    assert isinstance(store.database, SqliteDatabase)
    return store.database


def database_of(store: Store) -> Path:
    return Path(str(_sqlite(store).url.database))


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Another process holds the write lock for longer than anybody waits."""
    store.database.busy_s = 0.2
    other = sqlite3.connect(database_of(store), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def _with_pragma(store: Store, during: str, after: str) -> Iterator[None]:
    engine = _sqlite(store)._engine

    def on(connection: Any, *_: Any) -> None:
        connection.execute(during)

    def off(connection: Any, *_: Any) -> None:
        connection.execute(after)

    event.listen(engine, "checkout", on)
    try:
        yield
    finally:
        event.remove(engine, "checkout", on)
        event.listen(engine, "checkout", off)


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    with _with_pragma(store, "PRAGMA query_only = 1", "PRAGMA query_only = 0"):
        yield


@contextmanager
def full(store: Store) -> Iterator[None]:
    """No further page can be allocated; what fits the existing pages still works."""
    with _with_pragma(store, "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1073741823"):
        yield


@contextmanager
def replaced(store: Store) -> Iterator[None]:
    """Something else is in the database's place: reading fails too."""
    path = database_of(store)
    away = path.with_name("away")
    away.mkdir()
    _sqlite(store)._engine.dispose()
    for file in path.parent.glob("llava-bot.db*"):
        file.rename(away / file.name)
    path.write_bytes(b"no database" * 1000)
    # Something in the background may have connected between the two: to what was moved away.
    _sqlite(store)._engine.dispose()
    try:
        yield
    finally:
        _sqlite(store)._engine.dispose()
        for file in path.parent.glob("llava-bot.db*"):
            file.unlink()
        for file in away.iterdir():
            file.rename(path.parent / file.name)
        away.rmdir()
        _sqlite(store)._engine.dispose()


@contextmanager
def fails_at(store: Store, step: str) -> Iterator[None]:
    """One step alone fails."""

    def run(statement: str) -> None:
        with sqlite3.connect(database_of(store), isolation_level=None) as other:
            other.execute(statement)
        other.close()

    raises = "SELECT RAISE(ABORT, 'disk I/O error')"
    run(f"CREATE TRIGGER fault BEFORE {WRITES[step]} BEGIN {raises}; END")
    try:
        yield
    finally:
        run("DROP TRIGGER fault")


Fault = Callable[[Store], AbstractContextManager[None]]
FAULTS: dict[str, Fault] = {
    "locked": locked,
    "read-only": read_only,
    "full": full,
    "replaced": replaced,
}


def sentence_of(fault: str, locale: str = "en") -> str:
    """What a person is told whose question a fault has kept from the store."""
    return say(locale, "disk_full" if fault == "full" else "store_failed")
