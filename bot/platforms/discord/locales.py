"""Users' languages. Discord sends them with interactions, not with messages."""

from __future__ import annotations

import contextlib
from typing import Any

import discord
from cachetools import LRUCache
from discord import app_commands

from bot.platforms.discord.events import PLATFORM
from bot.store import People, StoreFailed
from bot.texts import say

MAX_KNOWN = 10_000


class Locales:
    """Remembers them over restarts. Lives as long as the adapter."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._known: LRUCache[str, str | None] = LRUCache(MAX_KNOWN)

    async def remember_locale(self, user: str, locale: discord.Locale) -> None:
        """Remember it; only until a restart if the store cannot be written."""
        if self._known.get(user) != locale.value:
            self._known[user] = locale.value
            with contextlib.suppress(StoreFailed):
                await self._people.remember_locale(PLATFORM, user, locale.value)

    async def of(self, user: str, otherwise: str) -> str:
        """The last one that Discord sent, as far as the store can be read."""
        if user not in self._known:
            try:
                self._known[user] = await self._people.locale(PLATFORM, user)
            except StoreFailed:
                return otherwise
        return self._known.get(user) or otherwise

    def forget(self, user: str) -> None:
        """Forget it here too; the store does so by itself."""
        self._known.pop(user, None)


class CommandTranslator(app_commands.Translator):
    """The commands' descriptions in every language of the bot."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        _adapter: app_commands.TranslationContext[Any, Any],
    ) -> str | None:
        """As `app_commands.Translator.translate`."""
        key = string.extras.get("key")
        return say("ja", key) if key and locale is discord.Locale.japanese else None


def word(key: str) -> app_commands.locale_str:
    """A description in English, which the translator knows in other languages."""
    return app_commands.locale_str(say("en", key), key=key)
