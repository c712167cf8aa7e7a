"""What chat platforms need: authors, replies, mute, feedback, channels, Slack's installations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables."""
    op.add_column(
        "threads", sa.Column("muted", sa.Boolean, nullable=False, server_default=sa.false())
    )
    # A claim outlives its thread: what was forgotten is not answered when it is found again.
    with op.batch_alter_table("inbox") as inbox:
        inbox.add_column(sa.Column("author", sa.String, nullable=False, server_default=""))
        inbox.alter_column("thread_id", existing_type=sa.Integer, nullable=True)
        inbox.drop_constraint("fk_inbox_thread_id", type_="foreignkey")
        inbox.create_foreign_key(
            "fk_inbox_thread_id", "threads", ["thread_id"], ["id"], ondelete="SET NULL"
        )
        inbox.create_index("ix_inbox_author", ["author"])
    op.create_table(
        "replies",
        sa.Column("thread_id", sa.Integer, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("reply", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "message", "part", name="pk_replies"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_replies_thread_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "feedback",
        sa.Column("thread_id", sa.Integer, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("good", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "message", "author", name="pk_feedback"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_feedback_thread_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "channels",
        sa.Column("platform", sa.String, nullable=False),
        sa.Column("team", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("system_prompt", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("follow_ups", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("platform", "team", "channel", name="pk_channels"),
    )
    op.create_table(
        "slack_installations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("enterprise_id", sa.String(32), nullable=True),
        sa.Column("enterprise_name", sa.String(200), nullable=True),
        sa.Column("enterprise_url", sa.String(200), nullable=True),
        sa.Column("team_id", sa.String(32), nullable=True),
        sa.Column("team_name", sa.String(200), nullable=True),
        sa.Column("bot_token", sa.String(200), nullable=True),
        sa.Column("bot_id", sa.String(32), nullable=True),
        sa.Column("bot_user_id", sa.String(32), nullable=True),
        sa.Column("bot_scopes", sa.String(1000), nullable=True),
        sa.Column("bot_refresh_token", sa.String(200), nullable=True),
        sa.Column("bot_token_expires_at", sa.DateTime, nullable=True),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("user_token", sa.String(200), nullable=True),
        sa.Column("user_scopes", sa.String(1000), nullable=True),
        sa.Column("user_refresh_token", sa.String(200), nullable=True),
        sa.Column("user_token_expires_at", sa.DateTime, nullable=True),
        sa.Column("incoming_webhook_url", sa.String(200), nullable=True),
        sa.Column("incoming_webhook_channel", sa.String(200), nullable=True),
        sa.Column("incoming_webhook_channel_id", sa.String(200), nullable=True),
        sa.Column("incoming_webhook_configuration_url", sa.String(200), nullable=True),
        sa.Column("is_enterprise_install", sa.Boolean, nullable=False),
        sa.Column("token_type", sa.String(32), nullable=True),
        sa.Column("installed_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slack_installations"),
    )
    op.create_table(
        "slack_bots",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("enterprise_id", sa.String(32), nullable=True),
        sa.Column("enterprise_name", sa.String(200), nullable=True),
        sa.Column("team_id", sa.String(32), nullable=True),
        sa.Column("team_name", sa.String(200), nullable=True),
        sa.Column("bot_token", sa.String(200), nullable=True),
        sa.Column("bot_id", sa.String(32), nullable=True),
        sa.Column("bot_user_id", sa.String(32), nullable=True),
        sa.Column("bot_scopes", sa.String(1000), nullable=True),
        sa.Column("bot_refresh_token", sa.String(200), nullable=True),
        sa.Column("bot_token_expires_at", sa.DateTime, nullable=True),
        sa.Column("is_enterprise_install", sa.Boolean, nullable=False),
        sa.Column("installed_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slack_bots"),
    )
    op.create_table(
        "slack_oauth_states",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("expire_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slack_oauth_states"),
    )
