"""Whether a refused question may succeed when it is asked again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: of refusals so far it is not known, so they may be asked again."""
    op.add_column(
        "turns", sa.Column("may_pass", sa.Boolean, nullable=False, server_default=sa.true())
    )
