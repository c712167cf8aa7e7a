"""Several workspaces: installation by OAuth, with slack-sdk's stores in the project's database."""

from __future__ import annotations

from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, event, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.platforms.slack.http import INSTALL, REDIRECT
from bot.platforms.slack.manifest import BOT_SCOPES
from bot.platforms.slack.options import SlackOptions
from bot.store import Store
from bot.store.database import set_pragmas
from bot.store.schema import slack_bots

STATE_S = 600


def engine_of(store: Store) -> AsyncEngine:
    """A connection of the SDK's stores to the project's database."""
    engine = create_async_engine(store.database.url.set(drivername="sqlite+aiosqlite"))
    event.listen(engine.sync_engine, "connect", set_pragmas)
    return engine


def installation_store(engine: AsyncEngine, client_id: str) -> AsyncSQLAlchemyInstallationStore:
    """The SDK's store of installations."""
    return AsyncSQLAlchemyInstallationStore(client_id=client_id, engine=engine)


async def installed_teams(store: Store, client_id: str) -> list[tuple[str, str | None]]:
    """(team, enterprise) of every workspace that has installed the app."""

    def work(connection: Connection) -> list[tuple[str, str | None]]:
        found = connection.execute(
            select(slack_bots.c.team_id, slack_bots.c.enterprise_id)
            .where(slack_bots.c.client_id == client_id, slack_bots.c.team_id.is_not(None))
            .distinct()
        )
        return [(row.team_id, row.enterprise_id) for row in found]

    return await store.database.read(work)


def oauth_flow(
    options: SlackOptions,
    engine: AsyncEngine,
    installations: AsyncSQLAlchemyInstallationStore,
    client: AsyncWebClient,
) -> AsyncOAuthFlow:
    """The pages that install the app in a workspace."""
    return AsyncOAuthFlow(
        client=client,
        settings=AsyncOAuthSettings(
            client_id=options.client_id or "",
            client_secret=options.client_secret or "",
            scopes=list(BOT_SCOPES),
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            installation_store=installations,
            state_store=AsyncSQLAlchemyOAuthStateStore(expiration_seconds=STATE_S, engine=engine),
            authorization_url=options.api_url.removesuffix("api/") + "oauth/v2/authorize",
        ),
    )
