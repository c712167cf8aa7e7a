"""Rows of pictures, within the caller's transaction.

A picture's row is there before its file is, and the file's name is the row's alone:

1. `reserve` makes the row, or keeps the one that exists from being removed meanwhile.
2. The file is written.
3. `settle` gives the reservation up, in the transaction that makes a turn refer to the row.

Rows that no turn refers to are removed by `discard_unused`, which remembers their files until
these are removed too. So whatever else happens between two steps, in this process or in another,
no row that a turn refers to lacks its file, and no file is left without one of both.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from bot.store.database.statements import insert_into
from bot.store.pictures.files import new_name, suffix_of
from bot.store.schema import (
    discarded_pictures,
    identity,
    pictures,
    turn_documents,
    turn_pictures,
)
from bot.values.documents import SentDocument
from inference.types import Picture

RESERVED = timedelta(hours=1)
"""Longer than any write takes; a crash leaves a reservation behind for so long."""


class PictureGone(Exception):
    """A reserved picture was removed before a turn referred to it: its writer was too slow."""


def reserve(connection: Connection, kept: Picture | SentDocument) -> str:
    """Make the row of a picture or a document, or keep it. Returns: the name of its file."""
    if isinstance(kept, Picture):
        suffix, size_px = suffix_of(kept.data), (kept.width_px, kept.height_px)
    else:
        suffix, size_px = kept.suffix, (0, 0)
    until = datetime.now(UTC) + RESERVED
    row = connection.execute(
        insert_into(connection, pictures)
        .values(
            digest=kept.digest,
            suffix=suffix,
            file=new_name(kept.digest, suffix),
            width_px=size_px[0],
            height_px=size_px[1],
            size_bytes=len(kept.data),
            reserved_until=until,
        )
        .on_conflict_do_update(index_elements=["digest"], set_={"reserved_until": until})
        .returning(pictures.c.file)
    )
    return str(row.scalar_one())


def settle(connection: Connection, files: Mapping[str, str]) -> None:
    """Give up reservations; `files`: digest → the name that `reserve` gave.

    Raises:
        PictureGone: reserve and write again.
    """
    for digest, file in sorted(files.items()):
        kept = connection.execute(
            update(pictures)
            .where(pictures.c.digest == digest, pictures.c.file == file)
            .values(reserved_until=None)
        )
        if not kept.rowcount:
            raise PictureGone


def discard_unused(connection: Connection) -> int:
    """Remove the rows that no turn refers to, and remember their files. Returns: how many."""
    is_unused = and_(
        *(
            ~select(table.c.turn_id).where(table.c.digest == pictures.c.digest).exists()
            for table in (turn_pictures, turn_documents)
        )
    )
    is_free = or_(
        pictures.c.reserved_until.is_(None), pictures.c.reserved_until < datetime.now(UTC)
    )
    gone = connection.execute(
        delete(pictures).where(is_unused, is_free).returning(pictures.c.file)
    ).scalars()
    rows = [{"file": file} for file in gone]
    if rows:
        connection.execute(insert(discarded_pictures), rows)
    return len(rows)


def discarded(connection: Connection) -> list[str]:
    """The files that are still to be removed."""
    return list(connection.execute(select(discarded_pictures.c.file)).scalars())


def forget_discarded(connection: Connection, files: Sequence[str]) -> None:
    """They are removed."""
    connection.execute(delete(discarded_pictures).where(discarded_pictures.c.file.in_(files)))


def identify(connection: Connection, *, chosen: str | None = None) -> str:
    """This database's id, made once; `chosen`: what it is to be, if it has none yet."""
    connection.execute(
        insert_into(connection, identity)
        .values(one=1, id=chosen or secrets.token_hex(16))
        .on_conflict_do_nothing()
    )
    return str(connection.execute(select(identity.c.id)).scalar_one())


def known(connection: Connection, files: Sequence[str]) -> set[str]:
    """Which of these files have a row."""
    return set(
        connection.execute(select(pictures.c.file).where(pictures.c.file.in_(files))).scalars()
    )
