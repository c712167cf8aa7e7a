"""The tables. A change here needs a migration in `migrations/versions/`; a test compares them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

threads = Table(
    "threads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("platform", String, nullable=False),
    Column("team", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("thread", String, nullable=False),
    Column("title", Text, nullable=False, default=""),
    Column("is_named", Boolean, nullable=False, default=False),  # its title was set by hand
    Column("touched_at", DateTime(timezone=True), nullable=False, index=True),
    Column("muted", Boolean, nullable=False, default=False),  # follow-ups need a mention
    # Who made it, where threads belong to people; a chat's belong to its channel.
    Column("owner", String, nullable=False, default="", index=True),
    UniqueConstraint("platform", "team", "channel", "thread"),
)

# One row per question and revision. The unique key is the claim: the process that inserts the row
# answers the question.
inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),  # the order in which questions were claimed
    Column("platform", String, nullable=False),
    Column("team", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("message", String, nullable=False),
    Column("revision", Integer, nullable=False),
    # None: the thread was erased, and the claim stays.
    Column("thread_id", ForeignKey("threads.id", ondelete="SET NULL"), index=True),
    Column("author", String, nullable=False, default="", index=True),
    # The user whose bounds it counts towards, also once its text is erased; empty: nobody's,
    # because it was refused or they want to be forgotten.
    Column("counts_for", String, nullable=False, default=""),
    Column("incoming", JSON, nullable=False),  # the IncomingMessage; {} once it is erased
    Column("attempts", Integer, nullable=False, default=0),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=True, index=True),
    # Another process had it first.
    Column("is_taken", Boolean, nullable=False, default=False),
    # Somebody wants no more of it: no process that takes it over answers it.
    Column("stopped_at", DateTime(timezone=True), nullable=True),
    # The process that answers it (`processes.id`); None: nobody's, until the next start.
    Column("owner", String, nullable=True, index=True),
    Column("is_counted", Boolean, nullable=False, default=False),  # its end is in `usage`
    UniqueConstraint("platform", "team", "channel", "message", "revision"),
    Index("ix_inbox_user_claims", "platform", "counts_for", "claimed_at"),
    Index("ix_inbox_channel_claims", "platform", "team", "channel", "claimed_at"),
)

# The processes that share the work, on PostgreSQL; one without a row has lost its questions.
processes = Table(
    "processes",
    metadata,
    Column("id", String, primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# One row per question, with its latest answer.
turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("message", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("answer", Text, nullable=True),
    Column("receipt", JSON, nullable=False),
    Column("may_pass", Boolean, nullable=False, default=True),  # of a refused question
    Column("model", String, nullable=False, server_default=""),  # that answered
    UniqueConstraint("thread_id", "message"),
)

# Their bytes are in a folder or a bucket (`bot.store.pictures`), as those of documents, which are
# no pixels large.
pictures = Table(
    "pictures",
    metadata,
    Column("digest", String, primary_key=True),
    Column("suffix", String, nullable=False),
    Column("file", String, nullable=False),  # no other row ever has the same
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    # Being written: it stays, though no turn refers to it yet.
    Column("reserved_until", DateTime(timezone=True), nullable=True),
)

# Files of removed rows, until they are removed too.
discarded_pictures = Table(
    "discarded_pictures",
    metadata,
    Column("file", String, primary_key=True),
)

# One row: the id that says whose the pictures of a shared folder or bucket are.
identity = Table(
    "identity",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("id", String, nullable=False),
)

# Documents that came with a question. Their bytes are kept as pictures' are.
turn_documents = Table(
    "turn_documents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), nullable=False, index=True),
    # None: it had to make room for newer files.
    Column("digest", ForeignKey("pictures.digest"), nullable=True, index=True),
    Column("name", Text, nullable=False),
    Column("suffix", String, nullable=False),
    Column("num_pages", Integer, nullable=False),  # 0: text alone
)

turn_pictures = Table(
    "turn_pictures",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer, nullable=False),  # in the thread, from 1
    Column("digest", ForeignKey("pictures.digest"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("notes", JSON, nullable=False),  # what was done to it, as sentences for the user
    Column("sheet", JSON(none_as_null=True), nullable=True),  # how frames lie on it
    # Which page it shows, of a document that came with this question or an earlier one: forgotten,
    # that one takes its pages along.
    Column(
        "document_id",
        ForeignKey("turn_documents.id", ondelete="CASCADE"),
        nullable=True,
        index=True,
    ),
    Column("page", Integer, nullable=True),
    Column("page_text", Text, nullable=True),  # what the file itself says is written there
)

# Pictures of turns that had to make room for newer ones.
gone_pictures = Table(
    "gone_pictures",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),  # in the thread, from 1
    Column("name", Text, nullable=False),
)

# The platform's messages that hold a question's answer, so that a restart continues in them.
replies = Table(
    "replies",
    metadata,
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("message", String, primary_key=True),  # the question
    Column("part", Integer, primary_key=True),  # from 0; -1 is the notice (`replies.NOTICE`)
    Column("reply", String, nullable=False),
)

# One row of feedback per person and question.
feedback = Table(
    "feedback",
    metadata,
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("message", String, primary_key=True),
    Column("author", String, primary_key=True),
    Column("good", Boolean, nullable=False),
)

# How much was asked, in sums; nobody's words. One row for all that has its key in common.
usage = Table(
    "usage",
    metadata,
    Column("day", Date, primary_key=True),  # in UTC
    Column("platform", String, primary_key=True),
    Column("team", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("person", String, primary_key=True),  # empty: those who want to be forgotten
    Column("model", String, primary_key=True),  # empty: none ran
    Column("outcome", String, primary_key=True),  # see `bot.values.usage`
    Column("reason", String, primary_key=True),  # of a refused one: its sentence's key
    Column("questions", BigInteger, nullable=False),
    Column("pictures", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("generated_tokens", BigInteger, nullable=False),
    Column("first_token_s", Float, nullable=False),
    Column("generation_s", Float, nullable=False),
)

# What people chose, where a platform does not send it with each message: their language (Discord),
# their name (the playground); empty is nothing.
people = Table(
    "people",
    metadata,
    Column("platform", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("locale", String, nullable=False, default=""),
    Column("name", Text, nullable=False, default=""),
)

# Threads whose owners have made a link to them.
shares = Table(
    "shares",
    metadata,
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("token", String, nullable=False, unique=True),
    Column("can_ask", Boolean, nullable=False),  # else its guests only read
    Column("shared_by", Text, nullable=False),  # the owner's name
)

# Connections that only one process may hold, on PostgreSQL (`bot.store.leases`).
leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# Who has opened such a link.
guests = Table(
    "guests",
    metadata,
    Column("thread_id", ForeignKey("shares.thread_id", ondelete="CASCADE"), primary_key=True),
    Column("person", String, primary_key=True, index=True),
)

# Responses that were promised to people ("thinking") and are not given yet, with what they can be
# given with.
deferrals = Table(
    "deferrals",
    metadata,
    Column("platform", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("held", JSON, nullable=False),
)

# What the admins of a channel chose.
channels = Table(
    "channels",
    metadata,
    Column("platform", String, primary_key=True),
    Column("team", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("system_prompt", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("follow_ups", String, nullable=False),
    Column("model", String, nullable=False, server_default=""),
    Column("language", String, nullable=False, server_default=""),
    Column("people", Text, nullable=False, server_default=""),  # ids, between spaces
    Column("temperature", Float, nullable=True),
    Column("max_new_tokens", Integer, nullable=True),
    Column("presets", Text, nullable=False, server_default=""),  # JSON: [[name, prompt], …]
)

# Who changed such a setting; what they wrote stays, as the setting's own words do.
settings_log = Table(
    "settings_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("platform", String, nullable=False),
    Column("team", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("person", String, nullable=False),  # empty: they want to be forgotten
    Column("setting", String, nullable=False),  # the column above
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Index("ix_settings_log_platform_team_channel", "platform", "team", "channel"),
)

# The next three are slack-sdk's (slack_sdk.oauth, 3.47): its stores read and write them, and a
# test compares them with the SDK's own definition.
slack_installations = Table(
    "slack_installations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", String(32), nullable=False),
    Column("app_id", String(32), nullable=False),
    Column("enterprise_id", String(32)),
    Column("enterprise_name", String(200)),
    Column("enterprise_url", String(200)),
    Column("team_id", String(32)),
    Column("team_name", String(200)),
    Column("bot_token", String(200)),
    Column("bot_id", String(32)),
    Column("bot_user_id", String(32)),
    Column("bot_scopes", String(1000)),
    Column("bot_refresh_token", String(200)),
    Column("bot_token_expires_at", DateTime),
    Column("user_id", String(32), nullable=False),
    Column("user_token", String(200)),
    Column("user_scopes", String(1000)),
    Column("user_refresh_token", String(200)),
    Column("user_token_expires_at", DateTime),
    Column("incoming_webhook_url", String(200)),
    Column("incoming_webhook_channel", String(200)),
    Column("incoming_webhook_channel_id", String(200)),
    Column("incoming_webhook_configuration_url", String(200)),
    Column("is_enterprise_install", Boolean, nullable=False),
    Column("token_type", String(32)),
    Column("installed_at", DateTime, nullable=False),
)
slack_bots = Table(
    "slack_bots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", String(32), nullable=False),
    Column("app_id", String(32), nullable=False),
    Column("enterprise_id", String(32)),
    Column("enterprise_name", String(200)),
    Column("team_id", String(32)),
    Column("team_name", String(200)),
    Column("bot_token", String(200)),
    Column("bot_id", String(32)),
    Column("bot_user_id", String(32)),
    Column("bot_scopes", String(1000)),
    Column("bot_refresh_token", String(200)),
    Column("bot_token_expires_at", DateTime),
    Column("is_enterprise_install", Boolean, nullable=False),
    Column("installed_at", DateTime, nullable=False),
)
slack_oauth_states = Table(
    "slack_oauth_states",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", String(200), nullable=False),
    Column("expire_at", DateTime, nullable=False),
)
