"""Who changed which setting of a channel."""

from __future__ import annotations

import json
from dataclasses import asdict

from bot.exporting.opened import opened_store
from bot.settings import Settings
from bot.values.turns import SettingChange

MAX_LINES = 10_000
MAX_SHOWN = 60


async def audit(settings: Settings, *, as_json: bool) -> list[str]:
    """The changes, oldest first: one line each. Raises: CommandFailed."""
    async with opened_store(settings) as store:
        changes = await store.channels.log(limit=MAX_LINES)
    if as_json:
        return [_json(change) for change in reversed(changes)]
    return [_line(change) for change in reversed(changes)] or [
        "No channel's settings were changed."
    ]


def _json(change: SettingChange) -> str:
    return json.dumps(asdict(change) | {"at": change.at.isoformat()})


def _line(change: SettingChange) -> str:
    place = "/".join(filter(None, (change.platform, change.team, change.channel)))
    who = change.person or "somebody"
    before, after = (
        repr(_clipped(text)) if text else "–" for text in (change.before, change.after)
    )
    return f"{change.at:%Y-%m-%d %H:%M} UTC  {place}  {who}  {change.setting}: {before} → {after}"


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
