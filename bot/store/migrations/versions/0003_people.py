"""What a platform sent about people: the language they chose."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "people",
        sa.Column("platform", sa.String, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("platform", "person", name="pk_people"),
    )
