"""Several processes: which of them owns a question, and until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add table and column: the questions so far are nobody's, and the next start's."""
    op.create_table(
        "processes",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.add_column("inbox", sa.Column("owner", sa.String, nullable=True))
    op.create_index("ix_inbox_owner", "inbox", ["owner"])
