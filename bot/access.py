"""Who may ask, and how much at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import Busy
from bot.messages import Author


class Access:
    """Bounds the questions one person has under way, waiting ones included."""

    def __init__(self, *, questions_per_user: int) -> None:
        self._limit = questions_per_user
        self._under_way: Counter[str] = Counter()

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
