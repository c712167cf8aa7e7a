"""The Slack adapter: Socket Mode or HTTP mode, one workspace or several, behind `Platform`."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.core.addressing import Addressing
from bot.core.commands import Commands
from bot.core.erasure import Erasure
from bot.platforms.chat.intake import NotTaken
from bot.platforms.platform import Core, PlatformUnavailable
from bot.platforms.slack.api import API_TIMEOUT_S, SlackRefused, SlackUnreachable
from bot.platforms.slack.backfill import Backfill
from bot.platforms.slack.events import PLATFORM, Event
from bot.platforms.slack.http import HttpServer
from bot.platforms.slack.installation import installation_store, oauth_flow
from bot.platforms.slack.interaction_handler import InteractionHandler
from bot.platforms.slack.leased_socket import LeasedSocket
from bot.platforms.slack.message_handler import MessageHandler
from bot.platforms.slack.pictures.finder import Pictures
from bot.platforms.slack.pictures.links import Links
from bot.platforms.slack.replies.context import AdapterContext
from bot.platforms.slack.replies.exchange import SlackExchange
from bot.platforms.slack.replies.sessions import UnendedSessions
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.slack.socket import DEFAULT_TIMEOUTS, Socket, WatchdogTimeouts
from bot.platforms.slack.workspaces import NotInstalled, Workspace, Workspaces
from bot.settings import revealed
from bot.store import Store
from bot.values.messages import IncomingMessage
from bot.values.presence import Presence
from inference.errors import safe_traceback

log = logging.getLogger(__name__)


class Slack:
    """Implements `bot.platforms.platform.Platform`."""

    name = PLATFORM
    address = None

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        addressing: Addressing,
        commands: Commands,
        erasure: Erasure,
        settings: SlackSettings,
        fetch_links: bool,
        pictures_per_question: int,
        timeouts: WatchdogTimeouts = DEFAULT_TIMEOUTS,
        api_timeout_s: float = API_TIMEOUT_S,
        private_hosts: frozenset[str] = frozenset(),
        presence: Presence | None = None,
    ) -> None:
        """`private_hosts`: see `Links`. Raises: PlatformUnavailable."""
        settings.check()
        self._presence = presence or Presence(PLATFORM)
        self._settings = settings
        self._timeouts = timeouts
        self._api_timeout_s = api_timeout_s
        self._core = core
        self._links = Links(api_url=settings.api_url, private_hosts=private_hosts)
        self._session: aiohttp.ClientSession | None = None
        self._engine: AsyncEngine | None = None
        self._installations: AsyncSQLAlchemyInstallationStore | None = None
        if not settings.bot_token and settings.client_id:
            self._engine = store.installations.make_engine()
            self._installations = installation_store(self._engine, settings.client_id)
        self._workspaces = Workspaces(
            self._client,
            token=revealed(settings.bot_token),
            installations=self._installations,
            teams=lambda: store.installations.teams(settings.client_id or ""),
        )
        self._presence.places = lambda: self._workspaces.names
        self._adapter = AdapterContext(
            workspaces=self._workspaces,
            store=store,
            pictures=Pictures(
                store=store,
                addressing=addressing,
                links=self._links,
                fetch_links=fetch_links,
                pictures_per_question=pictures_per_question,
            ),
            sessions=UnendedSessions(store, self._workspaces),
            stop=core.stop,
            preset_names=core.preset_names,
        )
        self._message_handler = MessageHandler(
            core=core,
            addressing=addressing,
            commands=commands,
            erasure=erasure,
            adapter=self._adapter,
            is_fresh=lambda: self.socket is not None and self.socket.is_fresh,
        )
        self._interactions = InteractionHandler(
            core=core,
            store=store,
            commands=commands,
            message_handler=self._message_handler,
            workspaces=self._workspaces,
            pictures=self._adapter.pictures,
            in_background=self._adapter.in_background,
        )
        self._backfill = Backfill(
            store=store,
            workspaces=self._workspaces,
            message_handler=self._message_handler,
            presence=self._presence,
        )
        self._store = store
        self.socket: Socket | None = None
        self._leased: LeasedSocket | None = None
        self.http: HttpServer | None = None
        self._catching_up: asyncio.Task[None] | None = None

    # -- Platform -----------------------------------------------------------------------------

    def resume(self, message: IncomingMessage) -> None:
        """See `Platform.resume`: the reply continues in the messages it had begun."""
        self._core.resume(message, SlackExchange(self._adapter, message, begun=True))

    async def start(self) -> None:
        """Connect, or listen. Raises: PlatformUnavailable."""
        await self._check_token()
        # In a thread: bolt reads its own source files to see who calls it.
        app = await asyncio.to_thread(self._app, self._client(None))
        oauth = None
        if self._engine is not None and self._installations is not None:
            oauth = oauth_flow(
                self._settings, self._engine, self._installations, self._client(None)
            )
        in_http_mode = not self._settings.app_token
        if in_http_mode or oauth is not None:
            self.http = HttpServer(
                app,
                host=self._settings.http_host,
                port=self._settings.http_port,
                signing_secret=revealed(self._settings.signing_secret) if in_http_mode else None,
                oauth=oauth,
            )
            await self.http.open()
            if in_http_mode:
                self._presence.connected()
        if (app_token := revealed(self._settings.app_token)) is not None:
            self.socket = Socket(
                app,
                app_token=app_token,
                client=self._client(None),
                after_gap=self._backfill.catch_up,
                timeouts=self._timeouts,
                presence=self._presence,
            )
            self._leased = LeasedSocket(
                self.socket,
                self._store.leases,
                app_token,
                after_standby=self._backfill.catch_up,
            )
            await self._leased.open()
        self._adapter.in_background(
            self._message_handler.removals.keep_removing(), name="slack-removals"
        )
        self._adapter.in_background(self._adapter.sessions.end_those_left())
        # Beside new events: a workspace may have hundreds of channels to read.
        self._catching_up = asyncio.create_task(self._backfill.catch_up(), name="slack-backfill")

    async def stop_intake(self) -> None:
        """Disconnect: Slack redelivers later messages, or the next backfill finds them."""
        self._message_handler.intake.is_open = False
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)
        if self._leased is not None:
            await self._leased.close()
        if self.http is not None:
            await self.http.close()
        self._presence.disconnected()

    async def close(self) -> None:
        """Close every connection."""
        await self.stop_intake()
        for task in list(self._adapter.tasks):
            task.cancel()
        await asyncio.gather(*self._adapter.tasks, return_exceptions=True)
        await self._links.close()
        if self._engine is not None:
            await self._engine.dispose()
        if self._session is not None:
            await self._session.close()

    # -- the app ------------------------------------------------------------------------------

    def _app(self, client: AsyncWebClient) -> AsyncApp:
        async def authorize(
            enterprise_id: str | None, team_id: str | None
        ) -> AuthorizeResult | None:
            try:
                workspace = await self._workspaces.of(team_id or "", enterprise_id)
            except NotInstalled:
                log.warning("an event came from a workspace that has not installed the app")
                return None
            return _result(workspace, enterprise_id)

        # It warns that it ignores tokens in the environment: our settings read those.
        logging.getLogger("slack_bolt.AsyncApp").setLevel(logging.ERROR)
        app = AsyncApp(
            client=client,
            authorize=authorize,  # type: ignore[arg-type] # None is bolt's "not installed"
            signing_secret=revealed(self._settings.signing_secret) or "",
            request_verification_enabled=not self._settings.app_token,
            # An event is acknowledged when its listener returns, which is when what it asks for is
            # in the store: Slack delivers it again if the process ends before that.
            process_before_response=True,
        )
        app.use(self._heard)
        app.event("message")(self._message)
        app.event("app_mention")(self._message)
        app.event("agent_session_stopped")(self._stopped)
        app.event("app_uninstalled")(self._uninstalled)
        app.event("tokens_revoked")(self._uninstalled)
        self._interactions.register(app)
        # Everything else is acknowledged: Slack would send it again otherwise.
        app.event(re.compile(".*"))(_nothing)
        app.action(re.compile(".*"))(_acknowledge)
        app.error(_failed)
        return app

    async def _heard(self, next: Callable[[], Awaitable[Any]]) -> None:  # noqa: A002 - bolt's name
        self._presence.event()
        await next()

    async def _message(self, context: Event, event: Event) -> None:
        await self._message_handler.on_event(await self._workspace(context), event)

    async def _stopped(self, context: Event, event: Event) -> None:
        await self._message_handler.on_stop((await self._workspace(context)).team, event)

    async def _workspace(self, context: Event) -> Workspace:
        # bolt's: in a channel shared between workspaces, the body may name the other one.
        team, enterprise = str(context.get("team_id") or ""), context.get("enterprise_id")
        return await self._workspaces.of(team, enterprise)

    async def _uninstalled(self, body: Event) -> None:
        team = str(body["team_id"])
        self._workspaces.forget(team)
        if self._installations is not None:
            await self._installations.async_delete_all(
                enterprise_id=body.get("enterprise_id"), team_id=team
            )

    async def _check_token(self) -> None:
        if not self._settings.bot_token:
            return
        try:
            await self._workspaces.of("")
        except SlackRefused as exc:
            raise PlatformUnavailable(
                f"Slack refuses SLACK_BOT_TOKEN ({exc}): copy the Bot User OAuth Token from "
                "OAuth & Permissions."
            ) from None
        except SlackUnreachable as exc:
            log.warning("Slack cannot be reached yet (%s): trying again", exc)

    def _client(self, token: str | None) -> AsyncWebClient:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._api_timeout_s),
                trust_env=True,  # a proxy, where there is one
            )
        return AsyncWebClient(
            token=token,
            base_url=self._settings.api_url,
            session=self._session,
            # `SlackApi` decides what is retried, and when: a message posted twice is an answer
            # given twice.
            retry_handlers=[],
        )


def _result(workspace: Workspace, enterprise: str | None) -> AuthorizeResult:
    return AuthorizeResult(
        enterprise_id=enterprise,
        team_id=workspace.team,
        bot_token=workspace.token,
        bot_id=workspace.bot,
        bot_user_id=workspace.bot_user,
    )


async def _nothing() -> None:
    """An event that is not for us."""


async def _failed(error: Exception) -> None:
    """The event is not acknowledged: Slack delivers it again, and the cause may have gone."""
    if not isinstance(error, NotTaken):
        log.error("an event was not handled: %s", safe_traceback(error))


async def _acknowledge(ack: Callable[[], Any]) -> None:
    await ack()
