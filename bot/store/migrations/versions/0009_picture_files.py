"""Pictures' files have names of their own, and may be shared by processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables. Files that exist keep their names."""
    op.add_column("pictures", sa.Column("file", sa.String, nullable=False, server_default=""))
    op.add_column("pictures", sa.Column("reserved_until", sa.DateTime(timezone=True)))
    op.execute("UPDATE pictures SET file = substr(digest, 1, 2) || '/' || digest || '.' || suffix")
    op.create_table(
        "discarded_pictures",
        sa.Column("file", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("file", name="pk_discarded_pictures"),
    )
    op.create_table(
        "identity",
        sa.Column("one", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_identity"),
    )
