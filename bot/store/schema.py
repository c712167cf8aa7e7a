"""The tables. A change here needs a migration in `migrations/versions/`; a test compares them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

threads = Table(
    "threads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("platform", String, nullable=False),
    Column("team", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("thread", String, nullable=False),
    Column("title", Text, nullable=False, default=""),
    Column("touched_at", DateTime(timezone=True), nullable=False, index=True),
    UniqueConstraint("platform", "team", "channel", "thread"),
)

# One row a question and revision. The unique key is the claim: whoever inserts it answers it.
inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),  # the order in which questions were claimed
    Column("platform", String, nullable=False),
    Column("team", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("message", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("incoming", JSON, nullable=False),  # the IncomingMessage, to take it up again
    Column("attempts", Integer, nullable=False, default=0),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=True, index=True),
    UniqueConstraint("platform", "team", "channel", "message", "revision"),
)

# One row a question, with its latest answer.
turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("message", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("answer", Text, nullable=True),
    Column("receipt", JSON, nullable=False),
    UniqueConstraint("thread_id", "message"),
)

# Bytes lie in files beside the database, named by digest.
pictures = Table(
    "pictures",
    metadata,
    Column("digest", String, primary_key=True),
    Column("suffix", String, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("size_bytes", Integer, nullable=False),
)

turn_pictures = Table(
    "turn_pictures",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer, nullable=False),  # in the thread, from 1
    Column("digest", ForeignKey("pictures.digest"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("notes", JSON, nullable=False),  # what was done to it, as sentences for the asker
)
