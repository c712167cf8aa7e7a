"""How many questions a user and a channel have asked lately, counted within the claim.

Counted from the inbox, the windows survive a restart and hold for all processes of one database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, not_, select

from bot.store.rows import is_message, now
from bot.store.schema import inbox
from bot.values.limits import BoundReached, QuestionBounds, Quota, QuotaInUse
from bot.values.messages import IncomingMessage
from bot.values.turns import ChannelPlace

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
RUNS_AT_MOST = timedelta(hours=1)
"""What has not ended by then counts as running no more: its platform may be gone."""

USER_LOCK, CHANNEL_LOCK = 1, 2


def bound_reached(
    connection: Connection, message: IncomingMessage, bounds: QuestionBounds
) -> BoundReached | None:
    """The bound that a question is beyond, if any. To be called before its row is inserted."""
    if 0 < bounds.text_characters < len(message.text):
        return BoundReached(key="text_too_long", limit=bounds.text_characters, until=None)
    _lock(connection, message, bounds)
    user = [
        inbox.c.platform == message.key.platform,
        inbox.c.counts_for == message.user.id,
    ]
    channel = [
        inbox.c.platform == message.key.platform,
        inbox.c.team == message.key.team,
        inbox.c.channel == message.key.channel,
        inbox.c.counts_for != "",
    ]
    running = (
        (bounds.user_at_once, user, "too_many_at_once"),
        (bounds.channel_at_once, channel, "channel_at_once"),
    )
    for limit, whose, key in running:
        if limit and _count_running(connection, message, whose) >= limit:
            return BoundReached(key=key, limit=limit, until=None)
    windows = (
        (bounds.user_per_minute, user, MINUTE, "too_many_a_minute"),
        (bounds.user_per_day, user, DAY, "too_many_a_day"),
        (bounds.channel_per_minute, channel, MINUTE, "channel_a_minute"),
        (bounds.channel_per_day, channel, DAY, "channel_a_day"),
    )
    # The one that lasts longest: who comes back in time is let through.
    full = [
        BoundReached(key=key, limit=limit, until=at.timestamp())
        for limit, whose, window, key in windows
        if limit and (at := _full_until(connection, whose, window, limit)) is not None
    ]
    return max(full, key=lambda reached: reached.until or 0, default=None)


def quotas(
    connection: Connection, place: ChannelPlace, person: str, bounds: QuestionBounds
) -> list[Quota]:
    """How much a person and their channel have left of the bounds in time that there are."""
    platform, team, channel = place
    user = [inbox.c.platform == platform, inbox.c.counts_for == person]
    here = [
        inbox.c.platform == platform,
        inbox.c.team == team,
        inbox.c.channel == channel,
        inbox.c.counts_for != "",
    ]
    windows = (
        ("user_per_minute", bounds.user_per_minute, user, MINUTE),
        ("user_per_day", bounds.user_per_day, user, DAY),
        ("channel_per_minute", bounds.channel_per_minute, here, MINUTE),
        ("channel_per_day", bounds.channel_per_day, here, DAY),
    )
    return [
        _quota(connection, name, limit, whose, window)
        for name, limit, whose, window in windows
        if limit
    ]


def quotas_in_use(connection: Connection, bounds: QuestionBounds, most: int) -> list[QuotaInUse]:
    """The quotas of a day of those who have used most: so many people, and so many channels."""
    whose = inbox.c.counts_for
    return [
        *_in_use(connection, "user_per_day", bounds.user_per_day, whose, (whose,), most),
        *_in_use(
            connection,
            "channel_per_day",
            bounds.channel_per_day,
            inbox.c.channel,
            (inbox.c.team, inbox.c.channel),
            most,
        ),
    ]


def _in_use(
    connection: Connection,
    bound: str,
    limit: int,
    whose: ColumnElement[str],
    told_apart_by: tuple[ColumnElement[str], ...],
    most: int,
) -> list[QuotaInUse]:
    if not limit:
        return []
    num = func.count()
    found = connection.execute(
        select(inbox.c.platform, whose, num, func.min(inbox.c.claimed_at))
        .where(inbox.c.counts_for != "", inbox.c.claimed_at > now() - DAY)
        .group_by(inbox.c.platform, *told_apart_by)
        .order_by(num.desc(), inbox.c.platform, whose)
        .limit(most)
    )
    return [
        QuotaInUse(
            platform=platform,
            whose=who,
            quota=Quota(
                bound=bound,
                limit=limit,
                left=max(0, limit - used),
                renews_at=(_in_utc(oldest) + DAY).timestamp(),
            ),
        )
        for platform, who, used, oldest in found
    ]


def _quota(
    connection: Connection,
    name: str,
    limit: int,
    whose: list[ColumnElement[bool]],
    window: timedelta,
) -> Quota:
    counted = connection.execute(
        select(func.count(), func.min(inbox.c.claimed_at)).where(
            *whose, inbox.c.claimed_at > now() - window
        )
    )
    num, oldest = counted.one()
    renews = None if oldest is None else _in_utc(oldest) + window
    return Quota(
        bound=name,
        limit=limit,
        left=max(0, limit - num),
        renews_at=None if renews is None else renews.timestamp(),
    )


def _in_utc(at: datetime) -> datetime:
    # SQLite gives back no time zone.
    return at.replace(tzinfo=at.tzinfo or UTC)


def _count_running(
    connection: Connection, message: IncomingMessage, whose: list[ColumnElement[bool]]
) -> int:
    """How many have not ended, apart from other versions of this question."""
    running = connection.execute(
        select(func.count())
        .select_from(inbox)
        .where(
            *whose,
            inbox.c.claimed_at > now() - RUNS_AT_MOST,
            inbox.c.ended_at.is_(None),
            not_(and_(*is_message(message.key))),
        )
    )
    return int(running.scalar_one())


def _full_until(
    connection: Connection, whose: list[ColumnElement[bool]], window: timedelta, limit: int
) -> datetime | None:
    """When a window has room again; `None`: it has room now."""
    present = now()
    oldest_that_counts = connection.execute(
        select(inbox.c.claimed_at)
        .where(*whose, inbox.c.claimed_at > present - window)
        .order_by(inbox.c.claimed_at.desc())
        .offset(limit - 1)
        .limit(1)
    ).scalar_one_or_none()
    if oldest_that_counts is None:
        return None
    # A clock that was set back makes nobody wait for longer.
    return min(_in_utc(oldest_that_counts), present) + window


def _lock(connection: Connection, message: IncomingMessage, bounds: QuestionBounds) -> None:
    """Let no other process count at the same time; SQLite has one writer anyway.

    Where nothing is counted, nobody waits. The user's lock comes before the channel's, everywhere:
    so nobody waits in a circle.
    """
    if connection.dialect.name != "postgresql":
        return
    key = message.key
    of_user = bounds.user_at_once or bounds.user_per_minute or bounds.user_per_day
    of_channel = bounds.channel_at_once or bounds.channel_per_minute or bounds.channel_per_day
    for is_counted, kind, name in (
        (of_user, USER_LOCK, f"{key.platform}/{message.user.id}"),
        (of_channel, CHANNEL_LOCK, f"{key.platform}/{key.team}/{key.channel}"),
    ):
        if is_counted:
            connection.execute(select(func.pg_advisory_xact_lock(kind, func.hashtext(name))))
