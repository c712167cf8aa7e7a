"""How the frames of something that moves lie on its picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column: pictures so far show one frame."""
    op.add_column("turn_pictures", sa.Column("sheet", sa.JSON(none_as_null=True), nullable=True))
