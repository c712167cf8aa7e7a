"""Rows from one database to another, and proof that they are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    DateTime,
    Integer,
    Table,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
)

from bot.store.schema import metadata

ROWS_AT_ONCE = 500
NOT_MOVED: Final = frozenset({"discarded_pictures", "identity", "leases", "processes"})
"""Tables of what runs, or of where files are."""
EMPTIED: Final = frozenset({("inbox", "owner"), ("pictures", "reserved_until")})
"""Columns that name a process, or what it was doing."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Digest:
    """Of a table's rows, whatever their order."""

    num_rows: int = 0
    total: int = 0

    def plus(self, row: Row) -> Digest:
        """With one row more."""
        words = json.dumps(sorted(row.items()), default=_as_text, ensure_ascii=True)
        number = int.from_bytes(hashlib.sha256(words.encode()).digest())
        return Digest(self.num_rows + 1, (self.total + number) % 2**256)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def moved_tables() -> list[Table]:
    """The tables that are moved; one comes after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in NOT_MOVED]


def is_empty(connection: Connection) -> bool:
    """Whether a database holds nothing that somebody wrote."""
    return not any(
        connection.execute(select(func.count()).select_from(table)).scalar()
        for table in moved_tables()
    )


def lock(connection: Connection) -> None:
    """Let nobody else write until the transaction ends."""
    tables = ", ".join(table.name for table in moved_tables())
    connection.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))


def read(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """A table's rows in batches, as they are to be in the other database."""
    key = list(table.primary_key)
    batch = select(table).order_by(*key).limit(ROWS_AT_ONCE)
    rows = connection.execute(batch).mappings().all()
    while rows:
        yield [{it.name: _value(table, it.name, row[it.name]) for it in table.c} for row in rows]
        last = tuple_(*(literal(rows[-1][it.name], it.type) for it in key))
        rows = connection.execute(batch.where(tuple_(*key) > last)).mappings().all()


def _value(table: Table, name: str, value: Any) -> Any:
    if (table.name, name) in EMPTIED:
        return None
    if isinstance(value, datetime) and value.tzinfo is None:
        kind = table.c[name].type
        # SQLite keeps no zone; the store writes UTC.
        return value.replace(tzinfo=UTC) if isinstance(kind, DateTime) and kind.timezone else value
    if isinstance(value, str):
        return value.replace("\0", "")  # PostgreSQL has no such character
    return value


def copy(
    source: Connection, target: Connection, table: Table, progress: Callable[[int], object]
) -> Digest:
    """Copy a table. Returns: the digest of what was read."""
    digest = Digest()
    for batch in read(source, table):
        target.execute(insert(table), batch)
        for row in batch:
            digest = digest.plus(row)
        progress(len(batch))
    _go_on_numbering(target, table)
    return digest


def digest_of(connection: Connection, table: Table) -> Digest:
    """The digest of a table as it is."""
    digest = Digest()
    for batch in read(connection, table):
        for row in batch:
            digest = digest.plus(row)
    return digest


def _go_on_numbering(connection: Connection, table: Table) -> None:
    """Let the next row get the number after the highest that was copied."""
    column = table.c.get("id")
    if column is not None and isinstance(column.type, Integer):
        highest = connection.execute(select(func.max(column))).scalar()
        if highest is not None:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :highest)"),
                {"table": table.name, "highest": highest},
            )
