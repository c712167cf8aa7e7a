"""Who may ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.values.messages import Author, ThreadKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """Who may ask on a platform; an empty list allows everybody."""

    teams: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    direct: bool = True
    """Whether direct messages are answered."""

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether every list that is not empty allows this question.

        A direct message belongs to no team, channel or role: where one of those lists is set,
        only the list of users can allow it.
        """
        if not thread.team:
            within = self.teams or self.channels or self.roles
            return self.direct and (author.id in self.users or not (within or self.users))
        return all(
            not allowed or not allowed.isdisjoint(values)
            for allowed, values in (
                (self.teams, {thread.team}),
                (self.channels, {thread.channel}),
                (self.users, {author.id}),
                (self.roles, author.roles),
            )
        )


class Access:
    """Who may ask, and where."""

    def __init__(self, lists: Mapping[str, AllowList] | None = None) -> None:
        """`lists`: by platform; one without a list is open to everybody."""
        self._lists = lists or {}

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether this person may ask in this channel at all."""
        allow_list = self._lists.get(thread.platform)
        return allow_list is None or allow_list.allows(thread, author)
