"""Who may ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from cachetools import TTLCache

from bot.values.messages import Author, ThreadKey

TOLD_S = 3600
"""So often is somebody told in one channel that they may not ask there."""
MAX_TOLD = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """Who may ask on a platform; an empty list allows everybody."""

    teams: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    direct: bool = True
    """Whether direct messages are answered."""
    direct_prefix: str | None = None
    """What the ids of direct messages begin with, where they belong to a team; `None`: to none."""
    admins: frozenset[str] = frozenset()
    """Who may mute and forget threads of others, and choose a channel's settings."""

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether every list that is not empty allows this question.

        A direct message belongs to no team, channel or role: where one of those lists is set,
        only the list of users can allow it. In a channel that several teams share, the list of
        teams must hold the author's own, too.
        """
        if self.direct_prefix is not None and thread.channel.startswith(self.direct_prefix):
            if not self.direct:
                return False
        elif not thread.team:
            within = self.teams or self.channels or self.roles
            return self.direct and (author.id in self.users or not (within or self.users))
        return all(
            not allowed or not allowed.isdisjoint(values)
            for allowed, values in (
                (self.teams, {thread.team}),
                (self.teams, {author.team or thread.team}),
                (self.channels, {thread.channel}),
                (self.users, {author.id}),
                (self.roles, author.roles),
            )
        )


class Access:
    """Who may ask, and where. Lives as long as the bot."""

    def __init__(
        self, lists: Mapping[str, AllowList] | None = None, *, is_silent: bool = False
    ) -> None:
        """Take the lists, by platform; one without a list is open to everybody.

        `is_silent`: who may not ask is not told so.
        """
        self._lists = lists or {}
        self._is_silent = is_silent
        self._told: TTLCache[tuple[str, str, str, str], None] = TTLCache(
            MAX_TOLD, TOLD_S, timer=monotonic
        )

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether this person may ask in this channel at all."""
        allow_list = self._lists.get(thread.platform)
        return allow_list is None or allow_list.allows(thread, author)

    def is_admin(self, platform: str, user: str) -> bool:
        """Whether this person is on the platform's list of admins."""
        allow_list = self._lists.get(platform)
        return allow_list is not None and user in allow_list.admins

    def says_no(self, thread: ThreadKey, author: Author) -> bool:
        """Whether somebody who may not ask is told so now: once per hour and channel."""
        key = (thread.platform, thread.team, thread.channel, author.id)
        if self._is_silent or key in self._told:
            return False
        self._told[key] = None
        return True
