"""Whose a thread of the playground is, and with whom it is shared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables.

    A thread of before belongs to the person who uses the playground without a password: made by
    nobody in particular, it must not be shown to a team that is let in later.
    """
    op.add_column("threads", sa.Column("owner", sa.String, nullable=False, server_default=""))
    op.create_index("ix_threads_owner", "threads", ["owner"])
    op.execute("UPDATE threads SET owner = 'local' WHERE platform = 'web'")
    op.add_column("people", sa.Column("name", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "shares",
        sa.Column("thread_id", sa.Integer, nullable=False),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("can_ask", sa.Boolean, nullable=False),
        sa.Column("shared_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", name="pk_shares"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_shares_thread_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token", name="uq_shares_token"),
    )
    op.create_table(
        "guests",
        sa.Column("thread_id", sa.Integer, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "person", name="pk_guests"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["shares.thread_id"], name="fk_guests_thread_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_guests_person", "guests", ["person"])
