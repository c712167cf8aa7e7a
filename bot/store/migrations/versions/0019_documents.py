"""Documents, and which of their pages pictures show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add table and columns: no picture so far is a page."""
    op.create_table(
        "turn_documents",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("turn_id", sa.Integer, nullable=False),
        sa.Column("digest", sa.String, nullable=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("suffix", sa.String, nullable=False),
        sa.Column("num_pages", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turn_documents"),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turns.id"], name="fk_turn_documents_turn_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["digest"], ["pictures.digest"], name="fk_turn_documents_digest"),
    )
    op.create_index("ix_turn_documents_turn_id", "turn_documents", ["turn_id"])
    op.create_index("ix_turn_documents_digest", "turn_documents", ["digest"])
    # SQLite makes the table anew: it adds no constraint to one.
    with op.batch_alter_table("turn_pictures") as table:
        table.add_column(sa.Column("document_id", sa.Integer, nullable=True))
        table.add_column(sa.Column("page", sa.Integer, nullable=True))
        table.add_column(sa.Column("page_text", sa.Text, nullable=True))
        table.create_foreign_key(
            "fk_turn_pictures_document_id",
            "turn_documents",
            ["document_id"],
            ["id"],
            ondelete="CASCADE",
        )
    op.create_index("ix_turn_pictures_document_id", "turn_pictures", ["document_id"])
