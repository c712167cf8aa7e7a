"""Rows of the store, read and written within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, tuple_, update

from bot.errors import UserFacingError
from bot.store.database.statements import insert_into
from bot.store.schema import (
    feedback,
    gone_pictures,
    inbox,
    pictures,
    replies,
    threads,
    turn_documents,
    turn_pictures,
    turns,
)
from bot.texts import sentences
from bot.values.documents import SentDocument, StoredDocument, StoredPage
from bot.values.messages import IncomingMessage, MessageKey, Outcome, Receipt, ThreadKey
from bot.values.pictures import NormalisedPicture, Sheet
from bot.values.turns import GonePicture, StoredPicture, Turn

TITLE_LENGTH = 80
PENDING = "pending"
"""The state of a turn without an outcome."""


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def key_columns(key: MessageKey) -> dict[str, str]:
    """A message's key as columns of the inbox."""
    return {
        "platform": key.platform,
        "team": key.team,
        "channel": key.channel,
        "message": key.message,
    }


def is_message(key: MessageKey) -> list[Any]:
    """The condition that a row of the inbox is that message's."""
    return [inbox.c[name] == value for name, value in key_columns(key).items()]


def is_thread(thread: ThreadKey) -> list[Any]:
    """The condition that a row of threads is that thread."""
    return [
        threads.c.platform == thread.platform,
        threads.c.team == thread.team,
        threads.c.channel == thread.channel,
        threads.c.thread == thread.thread,
    ]


def touch_thread(connection: Connection, thread: ThreadKey, *, owner: str = "") -> int:
    """Create the thread, or mark it as used now; an owner stays. Returns: its id."""
    made = insert_into(connection, threads).values(
        platform=thread.platform,
        team=thread.team,
        channel=thread.channel,
        thread=thread.thread,
        touched_at=now(),
        owner=owner,
    )
    row = connection.execute(
        made.on_conflict_do_update(
            index_elements=["platform", "team", "channel", "thread"],
            set_={"touched_at": made.excluded.touched_at},
        ).returning(threads.c.id)
    )
    return int(row.scalar_one())


def set_title_if_empty(connection: Connection, thread: ThreadKey, title: str) -> int | None:
    """Title a thread by its first question. Returns: its id; `None`: no such thread."""
    row = connection.execute(
        update(threads)
        .where(*is_thread(thread))
        .values(title=func.coalesce(func.nullif(threads.c.title, ""), title[:TITLE_LENGTH]))
        .returning(threads.c.id)
    )
    found = row.scalar_one_or_none()
    return None if found is None else int(found)


def upsert_turn(
    connection: Connection,
    thread_id: int,
    message: IncomingMessage,
    question: str,
    receipt: Receipt,
) -> int:
    """Create the turn of a question, or begin it anew. Returns: its id."""
    values = {
        "revision": message.revision,
        "author_name": message.author.name,
        "question": question,
        "state": PENDING,
        "answer": None,
        "receipt": receipt.to_json(),
        "may_pass": True,
    }
    row = connection.execute(
        insert_into(connection, turns)
        .values(thread_id=thread_id, message=message.key.message, **values)
        .on_conflict_do_update(index_elements=["thread_id", "message"], set_=values)
        .returning(turns.c.id)
    )
    return int(row.scalar_one())


def refuse_turn(
    connection: Connection, thread_id: int, message: IncomingMessage, refusal: UserFacingError
) -> None:
    """Write down that a question is refused; one that is in its thread already stays as it is."""
    connection.execute(
        insert_into(connection, turns)
        .values(
            thread_id=thread_id,
            message=message.key.message,
            revision=message.revision,
            author_name=message.author.name,
            question=message.text.strip(),
            state=Outcome.REFUSED,
            answer=refusal.sentence(message.locale),
            receipt=Receipt().to_json(),
            may_pass=refusal.may_pass,
        )
        .on_conflict_do_nothing()
    )
    set_title_if_empty(connection, message.thread, message.text.strip())


def set_pictures(
    connection: Connection,
    thread_id: int,
    turn_id: int,
    new_pictures: Sequence[NormalisedPicture],
    documents: Sequence[SentDocument],
    locale: str,
    *,
    adds: bool = False,
) -> None:
    """Give a turn its pictures, numbered on from the thread's last, and its documents.

    The rows of their files exist.

    `locale`: the language that the notes on them are kept in. `adds`: what it has stays.
    """
    if not adds:
        for table in (turn_pictures, gone_pictures, turn_documents):
            connection.execute(delete(table).where(table.c.turn_id == turn_id))
    for document in documents:
        connection.execute(
            insert(turn_documents).values(
                turn_id=turn_id,
                digest=document.digest,
                name=document.name,
                suffix=document.suffix,
                num_pages=document.num_pages,
            )
        )
    if not new_pictures:
        return
    ids = _documents_of(connection, thread_id)
    highest = (
        connection.execute(
            select(func.coalesce(func.max(table.c.number), 0))
            .join(turns)
            .where(turns.c.thread_id == thread_id)
        ).scalar_one()
        for table in (turn_pictures, gone_pictures)
    )
    first_number = max(highest) + 1
    has = select(func.count()).where(turn_pictures.c.turn_id == turn_id)
    first_position = connection.execute(has).scalar_one()
    for index, new in enumerate(new_pictures):
        page = new.page
        connection.execute(
            insert(turn_pictures).values(
                turn_id=turn_id,
                position=first_position + index,
                number=first_number + index,
                digest=new.picture.digest,
                name=new.name,
                notes=sentences(locale, new.notes),
                sheet=None if new.sheet is None else new.sheet.to_json(),
                document_id=None if page is None else ids.get(page.document),
                page=None if page is None else page.number,
                page_text=None if page is None else page.text,
            )
        )


def _documents_of(connection: Connection, thread_id: int) -> dict[str, int]:
    """A thread's documents: digest → id, the latest."""
    rows = connection.execute(
        select(turn_documents.c.digest, turn_documents.c.id)
        .join(turns)
        .where(turns.c.thread_id == thread_id)
        .order_by(turn_documents.c.id)
    )
    return {row.digest: row.id for row in rows}


def find_picture(
    connection: Connection, thread: ThreadKey, number: int
) -> tuple[str, str, str] | None:
    """Of a thread's picture, digest, suffix and file; `None`: there is none."""
    found = connection.execute(
        select(pictures.c.digest, pictures.c.suffix, pictures.c.file)
        .join(turn_pictures)
        .join(turns)
        .join(threads)
        .where(*is_thread(thread), turn_pictures.c.number == number)
    )
    row = found.first()
    return None if row is None else (row.digest, row.suffix, row.file)


def as_turns(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Turn, ...]:
    """Rows of turns as values, with their pictures."""
    ids = [row.id for row in rows]
    shown, gone = _pictures_by_turn(connection, ids), _gone_by_turn(connection, ids)
    documents = _documents_by_turn(connection, ids)
    return tuple(
        Turn(
            message=row.message,
            author_name=row.author_name,
            question=row.question,
            outcome=None if row.state == PENDING else Outcome(row.state),
            answer=row.answer,
            receipt=Receipt.from_json(row.receipt),
            may_pass=row.may_pass,
            model=row.model,
            pictures=tuple(shown.get(row.id, ())),
            gone=tuple(gone.get(row.id, ())),
            documents=tuple(documents.get(row.id, ())),
        )
        for row in rows
    )


def _pictures_by_turn(
    connection: Connection, turn_ids: Sequence[int]
) -> dict[int, list[StoredPicture]]:
    if not turn_ids:
        return {}
    rows = connection.execute(
        select(
            turn_pictures,
            pictures.c.suffix,
            pictures.c.file,
            pictures.c.width_px,
            pictures.c.height_px,
            turn_documents.c.name.label("document_name"),
            turn_documents.c.num_pages,
        )
        .select_from(turn_pictures)
        .join(pictures, pictures.c.digest == turn_pictures.c.digest)
        .outerjoin(turn_documents, turn_documents.c.id == turn_pictures.c.document_id)
        .where(turn_pictures.c.turn_id.in_(turn_ids))
        .order_by(turn_pictures.c.turn_id, turn_pictures.c.position)
    )
    shown: dict[int, list[StoredPicture]] = {}
    for row in rows:
        shown.setdefault(row.turn_id, []).append(
            StoredPicture(
                digest=row.digest,
                suffix=row.suffix,
                file=row.file,
                number=row.number,
                name=row.name,
                notes=tuple(row.notes),
                width_px=row.width_px,
                height_px=row.height_px,
                sheet=None if row.sheet is None else Sheet.from_json(row.sheet),
                page=_page_of(row),
            )
        )
    return shown


def _page_of(row: Row[Any]) -> StoredPage | None:
    if row.document_id is None:
        return None
    return StoredPage(
        document=row.document_id,
        number=row.page,
        num_pages=row.num_pages,
        name=row.document_name,
        text=row.page_text,
    )


def _documents_by_turn(
    connection: Connection, turn_ids: Sequence[int]
) -> dict[int, list[StoredDocument]]:
    documents: dict[int, list[StoredDocument]] = {}
    for row in connection.execute(
        select(turn_documents, pictures.c.file)
        .select_from(turn_documents)
        .outerjoin(pictures, pictures.c.digest == turn_documents.c.digest)
        .where(turn_documents.c.turn_id.in_(turn_ids))
        .order_by(turn_documents.c.id)
    ):
        documents.setdefault(row.turn_id, []).append(
            StoredDocument(
                id=row.id,
                digest=row.digest or "",
                file=row.file or "",
                name=row.name,
                suffix=row.suffix,
                num_pages=row.num_pages,
            )
        )
    return documents


def _gone_by_turn(connection: Connection, turn_ids: Sequence[int]) -> dict[int, list[GonePicture]]:
    gone: dict[int, list[GonePicture]] = {}
    for row in connection.execute(
        select(gone_pictures)
        .where(gone_pictures.c.turn_id.in_(turn_ids))
        .order_by(gone_pictures.c.turn_id, gone_pictures.c.number)
    ):
        found = GonePicture(number=row.number, name=row.name)
        gone.setdefault(row.turn_id, []).append(found)
    return gone


# -- erasing ------------------------------------------------------------------------------------


def erase_questions(connection: Connection, condition: Sequence[ColumnElement[bool]]) -> int:
    """Erase the questions of the inbox's rows that meet a condition; their claims stay, empty.

    Returns: how many.
    """
    asked = select(inbox.c.thread_id, inbox.c.message).where(*condition).distinct()
    gone = connection.execute(
        delete(turns).where(tuple_(turns.c.thread_id, turns.c.message).in_(asked))
    )
    for table in (replies, feedback):
        connection.execute(
            delete(table).where(tuple_(table.c.thread_id, table.c.message).in_(asked))
        )
    # A thread's title tells of its questions, also one that was set by hand.
    in_threads = select(inbox.c.thread_id).where(*condition)
    untitled = {"title": "", "is_named": False}
    connection.execute(update(threads).where(threads.c.id.in_(in_threads)).values(**untitled))
    connection.execute(update(inbox).where(*condition).values(**_emptied()))
    return gone.rowcount


def erase_threads(connection: Connection, condition: Sequence[ColumnElement[bool]]) -> int:
    """Erase the threads that meet a condition; the claims of their questions stay, empty.

    Returns: how many.
    """
    in_threads = select(threads.c.id).where(*condition)
    connection.execute(update(inbox).where(inbox.c.thread_id.in_(in_threads)).values(**_emptied()))
    gone = connection.execute(delete(threads).where(*condition))
    return gone.rowcount


def _emptied() -> dict[str, Any]:
    """What an erased claim keeps: enough not to answer a late copy of its message."""
    # `counts_for` stays for a day: deleting a question does not make room for another one.
    return {"incoming": {}, "author": "", "ended_at": func.coalesce(inbox.c.ended_at, now())}
