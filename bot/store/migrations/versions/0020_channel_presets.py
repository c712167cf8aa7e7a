"""Presets that a channel's admins have made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column: no channel has any so far."""
    op.add_column("channels", sa.Column("presets", sa.Text, nullable=False, server_default=""))
