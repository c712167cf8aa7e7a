"""Who may ask, and how much at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import Busy
from bot.values.messages import Author, ThreadKey, UserKey


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
    """Who may ask, and how many questions each user has in flight, waiting ones included."""

    def __init__(
        self, *, questions_per_user: int, lists: Mapping[str, AllowList] | None = None
    ) -> None:
        self._lists = lists or {}
        self._limit = questions_per_user
        self._in_flight: Counter[UserKey] = Counter()

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether this person may ask in this channel at all."""
        allow_list = self._lists.get(thread.platform)
        return allow_list is None or allow_list.allows(thread, author)

    @contextmanager
    def admitted(self, user: UserKey) -> Iterator[None]:
        """Count a question for as long as the context lasts. Raises: Busy."""
        if self._in_flight[user] >= self._limit:
            raise Busy("too_many_at_once", count=self._limit)
        self._in_flight[user] += 1
        try:
            yield
        finally:
            self._in_flight[user] -= 1
            if not self._in_flight[user]:
                del self._in_flight[user]
