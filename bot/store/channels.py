"""The settings that admins chose for a channel, and which threads are muted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC
from time import monotonic
from typing import Any

from cachetools import LRUCache, TTLCache
from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, update

from bot.store.database import Database, StoreFailed
from bot.store.database.statements import insert_into
from bot.store.rows import is_thread, now
from bot.store.schema import channels, inbox, settings_log, threads
from bot.store.uninterrupted import uninterrupted
from bot.values.messages import ThreadKey
from bot.values.turns import ChannelPlace, ChannelSettings, Participation, SettingChange

PEOPLE_KNOWN_S = 5
MAX_PLACES = 10_000
NOBODY = "-"
"""In place of the last person of a list: an empty one would let everybody ask."""
LOG_KEPT = 1000
"""Changes per channel."""


class Channels:
    """The channels' part of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Questions that come at once wait for one reading, and go on in their order.
        self._people: TTLCache[ChannelPlace, asyncio.Task[frozenset[str]]] = TTLCache(
            MAX_PLACES, PEOPLE_KNOWN_S, timer=monotonic
        )
        self._last_known: LRUCache[ChannelPlace, frozenset[str]] = LRUCache(MAX_PLACES)

    async def people(self, platform: str, team: str, channel: str) -> frozenset[str]:
        """Who may ask in a channel; nobody named is everybody.

        What another process has chosen holds here some seconds later; while the store cannot be
        read, what was read last.

        Raises: StoreFailed: it has never been read.
        """
        place = (platform, team, channel)
        reading = self._people.get(place)
        if reading is None or (reading.done() and reading.exception() is not None):
            reading = asyncio.create_task(self._read_people(place), name="people")
            self._people[place] = reading
        try:
            self._last_known[place] = people = await asyncio.shield(reading)
        except StoreFailed:
            if (known := self._last_known.get(place)) is None:
                raise
            return known
        return people

    async def _read_people(self, place: ChannelPlace) -> frozenset[str]:
        return frozenset((await self.settings(*place)).people)

    @uninterrupted
    async def settings(self, platform: str, team: str, channel: str) -> ChannelSettings:
        """A channel's settings; the defaults where nothing was chosen."""

        def work(connection: Connection) -> ChannelSettings:
            return _settings(connection, platform, team, channel)

        return await self._database.read(work)

    @uninterrupted
    async def choose(
        self,
        platform: str,
        team: str,
        channel: str,
        settings: ChannelSettings,
        *,
        by: str = "",
        since: ChannelSettings | None = None,
    ) -> None:
        """Save a channel's settings, and what was changed, by whom.

        `since`: what they were made from; what is the same in both is left as it is by now.
        """
        place = {"platform": platform, "team": team, "channel": channel}
        values = _as_columns(settings)
        if since is not None:
            earlier = _as_columns(since)
            values = {name: value for name, value in values.items() if value != earlier[name]}

        def work(connection: Connection) -> None:
            # Others who choose at this moment wait for this row: the log tells what each changed.
            connection.execute(
                insert_into(connection, channels)
                .values(**place, **_as_columns(ChannelSettings()))
                .on_conflict_do_nothing()
            )
            connection.execute(
                select(channels.c.channel).filter_by(**place).with_for_update()
            ).first()
            before = _as_columns(_settings(connection, platform, team, channel))
            changes = [
                {
                    "at": now(),
                    **place,
                    "person": by,
                    "setting": name,
                    "before": _as_text(before[name]),
                    "after": _as_text(value),
                }
                for name, value in values.items()
                if value != before[name]
            ]
            if changes:
                connection.execute(update(channels).filter_by(**place).values(**values))
                connection.execute(insert(settings_log), changes)
                _drop_oldest(connection, place)

        try:
            await self._database.write(work)
        finally:
            for kept in (self._people, self._last_known):
                kept.pop((platform, team, channel), None)

    @uninterrupted
    async def log(
        self, platform: str = "", team: str = "", channel: str = "", *, limit: int
    ) -> list[SettingChange]:
        """The latest changes, newest first; of one channel, or (no platform) of all."""
        latest = select(settings_log).order_by(settings_log.c.id.desc()).limit(limit)
        if platform:
            latest = latest.filter_by(platform=platform, team=team, channel=channel)

        def work(connection: Connection) -> list[SettingChange]:
            return [
                SettingChange(
                    **{
                        name: value.replace(tzinfo=UTC) if name == "at" else value
                        for name, value in row.items()
                        if name != "id"
                    }
                )
                for row in connection.execute(latest).mappings()
            ]

        return await self._database.read(work)

    @uninterrupted
    async def participation(self, thread: ThreadKey) -> Participation:
        """Whether the bot takes part in a thread, and its channel's choice of follow-ups."""

        def work(connection: Connection) -> Participation:
            found = connection.execute(
                select(threads.c.muted, func.min(inbox.c.incoming["sent_at"].as_float()))
                .outerjoin(inbox, (inbox.c.thread_id == threads.c.id) & (inbox.c.author != ""))
                .where(*is_thread(thread))
                .group_by(threads.c.id)
            )
            muted, since = found.one_or_none() or (False, None)
            chosen = connection.execute(
                select(channels.c.follow_ups).where(
                    channels.c.platform == thread.platform,
                    channels.c.team == thread.team,
                    channels.c.channel == thread.channel,
                )
            )
            return Participation(
                since=since, muted=bool(muted), follow_ups=chosen.scalar_one_or_none() or ""
            )

        return await self._database.read(work)

    @uninterrupted
    async def mute(self, thread: ThreadKey, *, muted: bool) -> bool:
        """Set whether follow-ups in a thread need a mention. False: no such thread."""

        def work(connection: Connection) -> bool:
            changed = connection.execute(
                update(threads).where(*is_thread(thread)).values(muted=muted)
            )
            return changed.rowcount > 0

        return await self._database.write(work)


def _settings(connection: Connection, platform: str, team: str, channel: str) -> ChannelSettings:
    found = connection.execute(
        select(
            channels.c.system_prompt,
            channels.c.note,
            channels.c.follow_ups,
            channels.c.model,
            channels.c.language,
            channels.c.people,
            channels.c.temperature,
            channels.c.max_new_tokens,
            channels.c.presets,
        ).filter_by(platform=platform, team=team, channel=channel)
    )
    row = found.mappings().first()
    if row is None:
        return ChannelSettings()
    presets = tuple((name, prompt) for name, prompt in json.loads(row["presets"] or "[]"))
    return ChannelSettings(
        **{**row, "people": tuple(row["people"].split()), "presets": presets},
    )


def _as_columns(settings: ChannelSettings) -> dict[str, Any]:
    presets = json.dumps(settings.presets, ensure_ascii=False) if settings.presets else ""
    return {**asdict(settings), "people": " ".join(settings.people), "presets": presets}


def _as_text(value: object) -> str:
    return "" if value is None else str(value)


def _drop_oldest(connection: Connection, place: dict[str, str]) -> None:
    ids = select(settings_log.c.id).filter_by(**place).order_by(settings_log.c.id.desc())
    oldest = connection.execute(ids.offset(LOG_KEPT).limit(1)).scalar_one_or_none()
    if oldest is not None:
        connection.execute(
            delete(settings_log).filter_by(**place).where(settings_log.c.id <= oldest)
        )


def forget_chooser(connection: Connection, platform: str, team: str | None, person: str) -> None:
    """Leave what somebody changed, and who else may ask, without them. `team`: `None` is every one.

    A list that named them alone still lets nobody else ask.
    """

    def in_place(table: Table) -> list[ColumnElement[bool]]:
        theirs = [table.c.platform == platform]
        return theirs if team is None else [*theirs, table.c.team == team]

    connection.execute(
        update(settings_log)
        .where(*in_place(settings_log), settings_log.c.person == person)
        .values(person="")
    )
    for table, columns, which in (
        (channels, ("people",), []),
        (settings_log, ("before", "after"), [settings_log.c.setting == "people"]),
    ):
        for column in columns:
            held = table.c[column]
            lists = select(held).where(*in_place(table), *which, held.contains(person)).distinct()
            for people in connection.execute(lists).scalars().all():
                others = [one for one in people.split() if one != person]
                connection.execute(
                    update(table)
                    .where(*in_place(table), *which, held == people)
                    .values({column: " ".join(others) or NOBODY})
                )
