"""The API's server. Documented in docs/api.md; its interface is OpenAI's."""

from __future__ import annotations

import logging

from aiohttp import web

from bot.core.completions.completions import Completions
from bot.platforms.api.chat import ChatHandlers
from bot.platforms.api.errors import failures_are_errors
from bot.platforms.api.fetching import Fetching
from bot.platforms.api.gate import gate
from bot.platforms.api.keys import PLATFORM, Keys, user_of
from bot.platforms.api.models import Models
from bot.platforms.api.quotas import Quotas
from bot.platforms.api.settings import ApiSettings
from bot.platforms.listening import cannot_listen
from bot.platforms.listening.connections import (
    BoundedSite,
    Connections,
    in_use,
)
from bot.platforms.listening.senders import Senders
from bot.values.messages import IncomingMessage
from bot.values.presence import Presence

log = logging.getLogger(__name__)


class Api:
    """Implements `bot.platforms.platform.Platform`. Its requests are no questions of the inbox."""

    name = PLATFORM
    address = None
    """Nothing for a browser."""

    def __init__(
        self,
        completions: Completions,
        settings: ApiSettings,
        *,
        presence: Presence | None = None,
        private_hosts: frozenset[str] = frozenset(),
    ) -> None:
        """`private_hosts`: see `PublicWeb`."""
        self._presence = presence or Presence(PLATFORM)
        self._settings = settings
        self._senders = Senders(settings.trusted_proxies, setting="API_TRUSTED_PROXIES")
        self._models = Models(completions)
        self._fetching = Fetching(
            allowed=settings.fetch_links,
            max_bytes=completions.max_picture_bytes,
            private_hosts=private_hosts,
        )
        self._chat = ChatHandlers(
            completions,
            models=self._models,
            quotas=Quotas(
                lambda name: completions.accounts.used_today(user_of(name)),
                at_once=settings.keys_at_once,
                per_minute=settings.keys_per_minute,
                per_day=settings.keys_per_day,
            ),
            fetching=self._fetching,
            background=settings.priority == "after_chats",
            presence=self._presence,
        )
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """What clients are given, once started."""
        if self._runner is None:
            raise RuntimeError("the API has not been started")
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def resume(self, message: IncomingMessage) -> None:
        """See `Platform.resume`: who asks waits for the answer, and asks again."""

    async def start(self) -> None:
        """Listen. Raises: PlatformUnavailable."""
        settings = self._settings
        app = web.Application(
            middlewares=[
                in_use,
                failures_are_errors,
                gate(Keys(settings.named_keys), self._senders),
            ]
        )
        app.add_routes([*self._models.routes(), *self._chat.routes()])
        # Who hangs up has no more use for an answer: their handler ends, and with it the work.
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1, handler_cancellation=True
        )
        await self._runner.setup()
        host, port = settings.host, settings.port or 0
        try:
            await BoundedSite(self._runner, host, port, Connections(self._senders)).start()
        except OSError as exc:
            raise cannot_listen("The API", host, port, exc, settings="API_") from None
        self._presence.connected()
        log.info("the API is at %s", self.base_url)

    async def stop_intake(self) -> None:
        """The core refuses new requests from now on; running ones continue."""

    async def close(self) -> None:
        """Close every connection."""
        self._presence.disconnected()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._fetching.close()
