"""Who may ask, and how much at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import Busy
from bot.values.messages import Author, ThreadKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """Who may ask on a platform; an empty list lets everybody in."""

    teams: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    direct: bool = True
    """Whether those may ask who write to the bot alone, outside of any team."""

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether none of the lists leaves this question out.

        Outside of any team there are no channels and no roles: where only some of those may ask,
        the list of users alone lets somebody in.
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
    """Who is let in, and how many questions one person has under way, waiting ones included."""

    def __init__(
        self, *, questions_per_user: int, lists: Mapping[str, AllowList] | None = None
    ) -> None:
        self._lists = lists or {}
        self._limit = questions_per_user
        self._under_way: Counter[str] = Counter()

    def allows(self, thread: ThreadKey, author: Author) -> bool:
        """Whether this person may ask in this place at all."""
        allow_list = self._lists.get(thread.platform)
        return allow_list is None or allow_list.allows(thread, author)

    @contextmanager
    def admitted(self, author: Author) -> Iterator[None]:
        """Count a question for as long as the context lasts. Raises: Busy."""
        if self._under_way[author.id] >= self._limit:
            raise Busy("too_many_at_once", count=self._limit)
        self._under_way[author.id] += 1
        try:
            yield
        finally:
            self._under_way[author.id] -= 1
            if not self._under_way[author.id]:
                del self._under_way[author.id]
