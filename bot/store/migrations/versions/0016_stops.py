"""Which questions have been stopped, and which have been taken over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("inbox", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "inbox", sa.Column("is_taken", sa.Boolean, nullable=False, server_default=sa.false())
    )
