"""Every platform. A new one is a row here (docs/add-a-platform.md)."""

from __future__ import annotations

from typing import Any

from bot.platforms.api import API
from bot.platforms.discord import DISCORD
from bot.platforms.entry import PlatformEntry
from bot.platforms.slack import SLACK
from bot.platforms.web import PLAYGROUND

PLATFORMS: list[PlatformEntry[Any]] = [PLAYGROUND, SLACK, DISCORD, API]
