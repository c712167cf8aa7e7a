"""Whether a database of PostgreSQL's can be used, said in one sentence where it cannot."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from alembic.util import CommandError
from asyncpg import InterfaceError, PostgresError
from sqlalchemy import URL, Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store.database.failures import DatabaseUnusable, cause_of, sqlstate_of
from bot.store.database.migrating import upgrade
from bot.store.schema import metadata
from inference.safe_messages import safe_message

OLDEST_POSTGRESQL: Final = 13  # the first that knows `normalize`
MIGRATION_LOCK: Final = 1_819_000_001
NEEDED_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

NOT_LET_IN = (
    "The PostgreSQL server at {server} does not let {user} in: check the user and the password in "
    "DATABASE_URL."
)
NO_RIGHTS = (
    "{named} does not let {user} make and change tables: GRANT ALL ON SCHEMA public (and on its "
    "tables, if another user made them) to that user."
)
LOCKED = (
    "{named} is locked, by another llava-bot that migrates it or by another program: wait until "
    "that has ended, and start again."
)
BY_STATE: Final = {
    "28000": NOT_LET_IN,
    "28P01": NOT_LET_IN,
    "3D000": (
        "The PostgreSQL server at {server} has no database {database}: create it, or name another "
        "in DATABASE_URL."
    ),
    "42501": NO_RIGHTS,
    "25006": (
        "{named} takes no changes (it is read-only): end that with ALTER DATABASE … SET "
        "default_transaction_read_only = off, or name another in DATABASE_URL."
    ),
    "55P03": LOCKED,
    "57014": LOCKED,
    "53100": (
        "The PostgreSQL server at {server} has no room left on its disk: make room there, and "
        "start again."
    ),
    "53300": (
        "The PostgreSQL server at {server} has no connection left for llava-bot: raise its "
        "max_connections, or end other programs."
    ),
}
"""What is wrong, and what to do, by PostgreSQL's codes of errors."""
DAMAGED = "{named} is damaged ({error}): see the server's log, and restore it from a backup."
OTHER = "{named} cannot be used ({error}): the server's log says more."


def address_of(database_url: str) -> URL:
    """The address that a person has set, for SQLAlchemy. Raises: DatabaseUnusable."""
    try:
        url = make_url(database_url)
        port = 5432 if url.port is None else url.port
    except (ArgumentError, ValueError):
        port = 0
    if not 0 < port < 65536:
        raise DatabaseUnusable(
            "DATABASE_URL is no address: write it as postgresql+asyncpg://user:password@host/name, "
            "and a special character of the password as % and two digits."
        ) from None
    query = dict(url.query)
    if "sslmode" in query:  # as libpq calls it
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)


async def prepare(engine: AsyncEngine, *, only_tries: bool = False) -> None:
    """Look whether the database can be used, and migrate it. Raises: DatabaseUnusable.

    `only_tries`: everything is taken back at the end.
    """
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            await connection.run_sync(_check_server)
            # One process migrates, and the others find it done.
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
            )
            await connection.run_sync(upgrade)
            await connection.run_sync(_check_rights)
            if only_tries:
                await transaction.rollback()
    except CommandError:
        raise DatabaseUnusable(
            f"{_named(engine.url)} comes from a newer llava-bot: bring this one up to date, or set "
            "DATABASE_URL to another database."
        ) from None
    except (DBAPIError, PostgresError, InterfaceError, OSError, TypeError, ValueError) as exc:
        raise DatabaseUnusable(_sentence(engine.url, exc)) from None


def _check_server(connection: Connection) -> None:
    version = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    if version < OLDEST_POSTGRESQL:
        raise DatabaseUnusable(
            f"DATABASE_URL leads to PostgreSQL {version}, and llava-bot needs "
            f"{OLDEST_POSTGRESQL} or newer: update the server."
        )
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"{_named(connection.engine.url)} has the encoding {encoding}, which cannot hold every "
            "language: create one with ENCODING 'UTF8'."
        )
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        raise DatabaseUnusable(
            "DATABASE_URL leads to a standby, which cannot be written: name the primary server."
        )


def _check_rights(connection: Connection) -> None:
    rights = " AND ".join(f"has_table_privilege(:name, '{right}')" for right in NEEDED_RIGHTS)
    for table in metadata.sorted_tables:
        if not connection.scalar(text(f"SELECT {rights}"), {"name": table.name}):
            url = connection.engine.url
            raise DatabaseUnusable(NO_RIGHTS.format(named=_named(url), user=url.username))


def _sentence(url: URL, exc: BaseException) -> str:
    """What is wrong, by the code of the error; never its text, which may quote the address."""
    cause = cause_of(exc)
    server = f"{url.host or 'localhost'}:{url.port or 5432}"
    if state := sqlstate_of(exc):
        said = DAMAGED if state.startswith("XX") else BY_STATE.get(state, OTHER)
        return said.format(
            server=server,
            database=url.database,
            named=_named(url),
            user=url.username,
            error=f"{type(cause).__name__}, {state}",
        )
    if isinstance(cause, socket.gaierror):
        return f"The host {url.host} cannot be found: correct DATABASE_URL."
    if isinstance(cause, ssl.SSLError):
        return (
            f"The connection to the PostgreSQL server at {server} cannot be secured "
            f"({safe_message(cause) or 'TLS'}): correct its certificate, or ssl= in DATABASE_URL."
        )
    if isinstance(cause, OSError | InterfaceError):
        why = safe_message(cause) or type(cause).__name__
        return (
            f"No PostgreSQL server answers at {server} ({why}): start it, or correct DATABASE_URL."
        )
    return (
        f"DATABASE_URL has an option that asyncpg does not know or take ({type(cause).__name__}): "
        "correct what stands after its question mark."
    )


def _named(url: URL) -> str:
    return f"The database {url.database} at {url.host or 'localhost'}"
