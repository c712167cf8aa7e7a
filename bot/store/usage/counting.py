"""Rows of the usage, written within the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update

from bot.store.database.statements import insert_into
from bot.store.processes.owned import is_revision
from bot.store.rows import now
from bot.store.schema import inbox, usage
from bot.values.messages import Ending, IncomingMessage
from bot.values.usage import Use, outcome_of

KEY = ("day", "platform", "team", "channel", "person", "model", "outcome", "reason")
SUMS = (
    "questions",
    "pictures",
    "prompt_tokens",
    "generated_tokens",
    "first_token_s",
    "generation_s",
)


def count(connection: Connection, message: IncomingMessage, ending: Ending) -> None:
    """Count a question of the inbox that has ended; once, however often its end is written."""
    counted = connection.execute(
        update(inbox)
        .where(*is_revision(message), inbox.c.is_counted.is_(False))
        .values(is_counted=True)
    )
    if counted.rowcount != 1:
        return
    use = Use(
        platform=message.key.platform,
        team=message.key.team,
        channel=message.key.channel,
        person=message.user.id,
        outcome=outcome_of(ending.outcome, ending.reason),
        reason=ending.reason,
        spent=ending.spent,
    )
    add(connection, use)


def add(connection: Connection, use: Use) -> None:
    """Add one question to today's row."""
    spent = use.spent
    row = {
        "day": now().date(),
        "platform": use.platform,
        "team": use.team,
        "channel": use.channel,
        "person": use.person,
        "model": spent.model,
        "outcome": use.outcome,
        "reason": use.reason,
        "questions": 1,
        "pictures": spent.pictures,
        "prompt_tokens": spent.prompt_tokens,
        "generated_tokens": spent.generated_tokens,
        "first_token_s": spent.first_token_s,
        "generation_s": spent.generation_s,
    }
    _add_row(connection, row)


def forget_person(connection: Connection, platform: str, team: str | None, person: str) -> None:
    """Leave sums that are nobody's. `team`: `None` is every team."""
    theirs = [usage.c.platform == platform, usage.c.person == person, usage.c.person != ""]
    if team is not None:
        theirs.append(usage.c.team == team)
    rows = connection.execute(select(usage).where(*theirs)).mappings().all()
    connection.execute(delete(usage).where(*theirs))
    for row in rows:
        _add_row(connection, {**row, "person": ""})


def _add_row(connection: Connection, row: Mapping[str, Any]) -> None:
    added = insert_into(connection, usage).values(**row)
    connection.execute(
        added.on_conflict_do_update(
            index_elements=list(KEY),
            set_={name: usage.c[name] + added.excluded[name] for name in SUMS},
        )
    )
