"""What SQLite and PostgreSQL write differently. The store's queries name neither."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Integer, Table, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

POSTGRESQL: Final = "postgresql"


def is_postgresql(connection: Connection) -> bool:
    """Whether a transaction runs on PostgreSQL, where others run beside it."""
    return connection.dialect.name == POSTGRESQL


def insert_into(connection: Connection, table: Table) -> sqlite.Insert:
    """An insert that knows ON CONFLICT, which both databases write alike."""
    made: Any = postgresql.insert(table) if is_postgresql(connection) else sqlite.insert(table)
    return made  # type: ignore[no-any-return]  # the two have the same methods


class _IndexOf(GenericFunction[int]):
    """Where a text stands in another, from 1; 0: nowhere."""

    name = "instr"
    type = Integer()
    inherit_cache = True


@compiles(_IndexOf, POSTGRESQL)
def _index_of(element: _IndexOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos{compiler.process(element.clause_expr, **options)}"


def occurs(word: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a column's text holds a folded word, in whatever case and width."""
    # No LIKE: it has wildcards, and SQLite's knows the case of ASCII only.
    return _IndexOf(func.folded(column), word) > 0
