"""Whether the database that several processes share can be used."""

from __future__ import annotations

import asyncio

from bot.configuration import Configuration
from bot.platforms.findings import Finding
from bot.settings import revealed


def database(configuration: Configuration) -> list[Finding]:
    """Open it as a start would; it is migrated then, too."""
    given = revealed(configuration.bot.database_url)
    if given is None:
        return []
    from bot.store import DatabaseUnusable, address_of, open_database

    async def look() -> None:
        async with open_database(address_of(given)):
            pass

    try:
        asyncio.run(look())
    except DatabaseUnusable as exc:
        what, _, remedy = str(exc).rpartition(": ")
        return [Finding(what or str(exc), remedy or "set DATABASE_URL to another database.")]
    return [Finding("the database (DATABASE_URL)")]
