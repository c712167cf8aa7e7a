"""Pictures that had to make room for newer ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "gone_pictures",
        sa.Column("turn_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("turn_id", "number", name="pk_gone_pictures"),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turns.id"], name="fk_gone_pictures_turn_id", ondelete="CASCADE"
        ),
    )
