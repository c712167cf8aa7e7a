"""How much the bot is used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEY = ("platform", "team", "channel", "person", "model", "outcome", "reason")
COUNTS = ("questions", "pictures", "prompt_tokens", "generated_tokens")


def upgrade() -> None:
    """Make the table. Questions so far count only when their answer is stored from now on."""
    op.create_table(
        "usage",
        sa.Column("day", sa.Date, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in KEY),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("first_token_s", "generation_s")),
        sa.PrimaryKeyConstraint("day", *KEY, name="pk_usage"),
    )
    op.add_column(
        "inbox", sa.Column("is_counted", sa.Boolean, nullable=False, server_default=sa.false())
    )
