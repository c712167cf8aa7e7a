"""What the adapter is told by the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import SecretStr

from bot.platforms.platform import PlatformUnavailable
from bot.platforms.slack.socket import Patience
from bot.settings import Settings

API_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackOptions:
    """The settings that the adapter needs."""

    api_url: str
    bot_token: str | None = field(default=None, repr=False)
    app_token: str | None = field(default=None, repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    http_host: str = "127.0.0.1"
    http_port: int = 3000
    fetch_links: bool = True
    pictures_per_question: int = 8
    private_hosts: frozenset[str] = frozenset()
    """See `Links`."""
    patience: Patience = field(default_factory=Patience)
    api_timeout_s: float = API_TIMEOUT_S

    @classmethod
    def of(cls, settings: Settings) -> SlackOptions:
        """From the settings."""

        def plain(secret: SecretStr | None) -> str | None:
            return None if secret is None else secret.get_secret_value()

        return cls(
            api_url=settings.slack_api_url,
            bot_token=plain(settings.slack_bot_token),
            app_token=plain(settings.slack_app_token),
            signing_secret=plain(settings.slack_signing_secret),
            client_id=settings.slack_client_id,
            client_secret=plain(settings.slack_client_secret),
            http_host=settings.slack_http_host,
            http_port=settings.slack_http_port,
            fetch_links=settings.fetch_links,
            pictures_per_question=settings.pictures_per_question,
        )

    def check(self) -> None:
        """Raises: PlatformUnavailable when something is missing, with what it is."""
        if not self.app_token and not self.signing_secret:
            raise PlatformUnavailable(
                "Set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP mode)."
            )
        if not self.bot_token and not (self.client_id and self.client_secret):
            raise PlatformUnavailable(
                "Set SLACK_BOT_TOKEN (one workspace), or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET "
                "(several)."
            )
