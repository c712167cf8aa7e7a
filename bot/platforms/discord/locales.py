"""The languages of people. Discord tells them with what they press, not with what they write."""

from __future__ import annotations

import contextlib

import discord
from cachetools import LRUCache

from bot.platforms.discord.events import PLATFORM
from bot.store import People, StoreFailed

MAX_KNOWN = 10_000


class Locales:
    """Learns them, and remembers them over restarts. Lives as long as the adapter."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._known: LRUCache[str, str | None] = LRUCache(MAX_KNOWN)

    async def remember_locale(self, user: str, locale: discord.Locale) -> None:
        """Discord has told it; it holds until a restart where the store does not take it."""
        if self._known.get(user) != locale.value:
            self._known[user] = locale.value
            with contextlib.suppress(StoreFailed):
                await self._people.remember_locale(PLATFORM, user, locale.value)

    async def of(self, user: str, otherwise: str) -> str:
        """As Discord has told it, ever, as far as the store can be read."""
        if user not in self._known:
            try:
                self._known[user] = await self._people.locale(PLATFORM, user)
            except StoreFailed:
                return otherwise
        return self._known.get(user) or otherwise

    def forget(self, user: str) -> None:
        """What the store forgets is forgotten here."""
        self._known.pop(user, None)
