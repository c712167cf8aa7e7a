"""Whose bounds a question counts towards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the indexes of the windows: questions so far count towards none."""
    op.add_column("inbox", sa.Column("counts_for", sa.String, nullable=False, server_default=""))
    op.create_index("ix_inbox_user_claims", "inbox", ["platform", "counts_for", "claimed_at"])
    op.create_index(
        "ix_inbox_channel_claims", "inbox", ["platform", "team", "channel", "claimed_at"]
    )
