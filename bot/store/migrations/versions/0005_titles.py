"""Whether a thread's title was set by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: the titles so far came from the first question."""
    op.add_column(
        "threads", sa.Column("is_named", sa.Boolean, nullable=False, server_default=sa.false())
    )
