"""Which of several models a channel has chosen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: so far, every channel has the default."""
    op.add_column("channels", sa.Column("model", sa.String, nullable=False, server_default=""))
