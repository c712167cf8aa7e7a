"""What a search needs on PostgreSQL: the function that SQLite gets with each connection."""

from __future__ import annotations

from alembic import op

from bot.store.database.folding import FOLDED_ON_POSTGRESQL

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the function."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FOLDED_ON_POSTGRESQL)
