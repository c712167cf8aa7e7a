"""More settings of a channel, who chose what, and which model answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and table: what was chosen so far stays, nobody knows by whom."""
    op.add_column("channels", sa.Column("language", sa.String, nullable=False, server_default=""))
    op.add_column("channels", sa.Column("people", sa.Text, nullable=False, server_default=""))
    op.add_column("channels", sa.Column("temperature", sa.Float, nullable=True))
    op.add_column("channels", sa.Column("max_new_tokens", sa.Integer, nullable=True))
    op.add_column("turns", sa.Column("model", sa.String, nullable=False, server_default=""))
    op.create_table(
        "settings_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("platform", sa.String, nullable=False),
        sa.Column("team", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("setting", sa.String, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settings_log"),
    )
    op.create_index(
        "ix_settings_log_platform_team_channel", "settings_log", ["platform", "team", "channel"]
    )
