"""The OpenAI-compatible API; `API` is its row in `PLATFORMS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.platforms.api.keys import PLATFORM
from bot.platforms.api.settings import ApiSettings
from bot.platforms.entry import PlatformEntry
from bot.platforms.platform import PlatformUnavailable

if TYPE_CHECKING:
    from bot.platforms.api.server import Api
    from bot.platforms.services import AdapterServices


def make(services: AdapterServices, settings: ApiSettings) -> Api:
    """The adapter."""
    from bot.platforms.api.server import Api

    return Api(services.completions, settings, presence=services.presences.of(PLATFORM))


def check(settings: ApiSettings) -> None:
    """Look at its settings. Raises: PlatformUnavailable."""
    if not settings.named_keys:
        raise PlatformUnavailable(
            "API_PORT is set and API_KEYS is not: set it to name=key, where the key is what "
            "`openssl rand -hex 24` prints."
        )


API = PlatformEntry(
    name=PLATFORM,
    title="the API",
    settings=ApiSettings,
    make=make,
    is_set_up=lambda settings: settings.port is not None,
    check=check,
)
