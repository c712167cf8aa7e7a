"""Several workspaces: installation by OAuth, with slack-sdk's stores in the project's database."""

from __future__ import annotations

from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.platforms.slack.http import INSTALL, REDIRECT
from bot.platforms.slack.manifest import BOT_SCOPES
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.slack.states import States
from bot.settings import revealed

STATE_S = 600


def installation_store(engine: AsyncEngine, client_id: str) -> AsyncSQLAlchemyInstallationStore:
    """The SDK's store of installations."""
    return AsyncSQLAlchemyInstallationStore(client_id=client_id, engine=engine)


def oauth_flow(
    settings: SlackSettings,
    engine: AsyncEngine,
    installations: AsyncSQLAlchemyInstallationStore,
    client: AsyncWebClient,
) -> AsyncOAuthFlow:
    """The pages that install the app in a workspace."""
    return AsyncOAuthFlow(
        client=client,
        settings=AsyncOAuthSettings(
            client_id=settings.client_id or "",
            client_secret=revealed(settings.client_secret) or "",
            scopes=list(BOT_SCOPES),
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            installation_store=installations,
            state_store=States(expiration_seconds=STATE_S, engine=engine),
            authorization_url=settings.api_url.removesuffix("api/") + "oauth/v2/authorize",
        ),
    )
