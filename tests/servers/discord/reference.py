"""Where Discord's own reference lies: a folder that is no part of this project."""

from __future__ import annotations

import os
from pathlib import Path

NOT_AT_HAND = (
    "Discord's reference is not at hand. With it (discord-openapi.json): "
    "DISCORD_REFERENCE=FOLDER python -m pytest tests/servers/discord"
)


def _folder() -> Path | None:
    named = os.environ.get("DISCORD_REFERENCE")
    return Path(named) if named else None


REFERENCE = _folder()
