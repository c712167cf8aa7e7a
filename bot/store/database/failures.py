"""What goes wrong with a database, as the store's callers get it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from bot.errors import CommandFailed, UserFacingError
from inference.safe_messages import is_disk_full, safe_message

NO_ROOM = frozenset({"53100"})
"""PostgreSQL's codes for a full disk."""


class DatabaseUnusable(CommandFailed):
    """The database cannot be opened; `str(exc)` is one sentence with the remedy."""


class StoreFailed(UserFacingError):
    """The store cannot be used now: locked, full, read-only, gone or damaged.

    The transaction had no effect, unless its commit failed: then it may have reached the disk.
    """

    def __init__(self, exc: BaseException) -> None:
        is_full = is_disk_full(exc) or sqlstate_of(exc) in NO_ROOM
        super().__init__("disk_full" if is_full else "store_failed")
        self.reason = _reason_of(exc)
        """The database's or the system's name of the error, and what it means, for the log."""
        self.args = (f"{self.key}: {self.reason}",)


class LeaseExpired(StoreFailed):
    """This process may not claim a question now: it could not renew its lease in time."""

    def __init__(self) -> None:
        super().__init__(TimeoutError())
        self.reason = "LeaseExpired"


def cause_of(exc: BaseException) -> BaseException:
    """The driver's own exception, where SQLAlchemy has wrapped it."""
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    # SQLAlchemy's layer over asyncpg raises errors of its own, from asyncpg's.
    return cause.__cause__ if isinstance(cause.__cause__, PostgresError) else cause


def sqlstate_of(exc: BaseException) -> str:
    """PostgreSQL's code of an error, as `40P01`; empty: it is none of PostgreSQL's."""
    return str(getattr(cause_of(exc), "sqlstate", None) or "")


def _reason_of(exc: BaseException) -> str:
    cause = cause_of(exc)
    name = getattr(cause, "sqlite_errorname", None)
    if name is None and isinstance(cause, OSError):
        name = errno.errorcode.get(cause.errno or 0)
    if isinstance(cause, PostgresError):  # its text may quote rows
        return f"{type(cause).__name__} ({cause.sqlstate})"
    meaning = safe_message(exc)
    return f"{name or type(cause).__name__}{f' ({meaning})' if meaning else ''}"


@contextmanager
def store_failures() -> Iterator[None]:
    """Raise failures of the disk and of the database as `StoreFailed`."""
    try:
        yield
    except (
        DBAPIError,
        NoConnection,
        sqlite3.Error,
        PostgresError,
        InterfaceError,
        OSError,
    ) as exc:
        raise StoreFailed(exc) from exc
