"""The playground's HTTP interface. Documented in docs/playground.md; stable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal, Protocol

from aiohttp import web

from bot.core.erasure import Erasure
from bot.core.model_limits import limitations, question_locale, reads_text
from bot.platforms.listening import cannot_listen
from bot.platforms.listening.connections import BoundedSite, Connections, in_use
from bot.platforms.listening.senders import Senders
from bot.platforms.platform import Core, PlatformUnavailable
from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.admin.handlers import AdminHandlers
from bot.platforms.web.changes import Changes
from bot.platforms.web.export import ExportHandlers
from bot.platforms.web.feedback import FeedbackHandlers
from bot.platforms.web.gate.origins import Hosts
from bot.platforms.web.gate.passwords import Password
from bot.platforms.web.guard import failures_are_sentences, guard, locale_of
from bot.platforms.web.keys import PLATFORM
from bot.platforms.web.listing import ListingHandlers
from bot.platforms.web.loading import LoadingHandlers
from bot.platforms.web.people import identify
from bot.platforms.web.person.me import MeHandlers
from bot.platforms.web.person.sessions import Sessions
from bot.platforms.web.questions import QuestionHandlers
from bot.platforms.web.sharing import SharingHandlers
from bot.platforms.web.threads import ThreadHandlers
from bot.platforms.web.uploads import Uploads
from bot.private_files import session_key
from bot.store import Store
from bot.texts import catalogue, language_of, say
from bot.values.messages import IncomingMessage
from bot.values.presence import Presence

STATIC = Path(__file__).parent / "static"
PAGE_TEXTS = ("page_", "preset_menu", "status_", "picture_", "what_")
"""How the keys of the sentences begin that the page says by itself."""
SAMPLES_WITH_TEXT = frozenset({"receipt"})
"""The samples whose question asks for what is written in them, by the stems of their files."""


class Handlers(Protocol):
    """Requests about one subject."""

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        ...


class Playground:
    """Implements `bot.platforms.platform.Platform`."""

    name = PLATFORM

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        erasure: Erasure,
        uploads: Uploads,
        folder: Path,
        host: str,
        port: int,
        password: str | None,
        allowed_hosts: frozenset[str] = frozenset(),
        senders: Senders | None = None,
        threads: Literal["private", "team"] = "private",
        sharing: bool = True,
        model_name: str = "",
        presence: Presence | None = None,
        admin: AdminHandlers | None = None,
    ) -> None:
        """Take the core, the settings, and the folder where the key of the sessions lies.

        `senders`: tells them apart; by default by their addresses alone. `model_name`: shown until
        the model is loaded and says its own.
        """
        self._core = core
        self._presence = presence or Presence(PLATFORM)
        self._uploads = uploads
        self._host = host
        self._port = port
        self._senders = senders or Senders()
        self._connections = Connections(self._senders)
        # Without a password there is one person, with whom there is nothing to share.
        access = ThreadAccess(
            store,
            everybody=threads == "team",
            sharing=sharing and password is not None and threads != "team",
        )
        self._folder = folder
        changes = self._changes = Changes(access, store.signals)
        self._threads = ThreadHandlers(store=store, erasure=erasure, access=access, changes=changes)
        self._questions = QuestionHandlers(
            core=core,
            store=store,
            uploads=uploads,
            access=access,
            changes=changes,
            senders=self._senders,
            presence=self._presence,
        )
        self._sharing = SharingHandlers(
            store=store, access=access, changes=changes, senders=self._senders
        )
        self._beside: tuple[Handlers, ...] = (
            ListingHandlers(store=store, erasure=erasure, access=access, changes=changes),
            ExportHandlers(store=store, access=access),
            FeedbackHandlers(store=store, access=access, changes=changes),
            changes,
            *([] if admin is None else [admin]),
        )
        self._admin = admin
        self._me = MeHandlers(store=store, erasure=erasure, access=access, changes=changes)
        self._loading = LoadingHandlers(core)
        self._model_name = model_name
        self._samples: list[Path] = []
        self._password = password
        self._hosts = Hosts(host, allowed=allowed_hosts, any_other=password is not None)
        self._runner: web.AppRunner | None = None

    # -- life ---------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the page is, once started."""
        if self._runner is None:
            raise RuntimeError("the playground has not been started")
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def resume(self, message: IncomingMessage) -> None:
        """See `Platform.resume`: the page finds the reply by its thread."""
        self._questions.resume(message)

    async def start(self) -> None:
        """Listen. Raises: PlatformUnavailable."""
        await self._uploads.keep_only(self._questions.in_flight)
        try:
            self._runner = await asyncio.to_thread(self._build)
        except OSError as exc:
            raise PlatformUnavailable(
                f"The playground cannot keep the key of its sessions in {self._folder} "
                f"({exc.strerror or type(exc).__name__}): make room there, or set DATA_DIR."
            ) from None
        await self._runner.setup()
        try:
            await BoundedSite(self._runner, self._host, self._port, self._connections).start()
        except OSError as exc:
            raise cannot_listen(
                "The playground", self._host, self._port, exc, settings="PLAYGROUND_"
            ) from None
        self._presence.connected()

    async def stop_intake(self) -> None:
        """The core refuses new questions from now on; running streams continue."""

    async def close(self) -> None:
        """Close every connection."""
        self._presence.disconnected()
        if self._runner is not None:
            await self._runner.cleanup()

    def _build(self) -> web.AppRunner:
        """Routes and files. Reads the disk, so it runs in a thread."""
        self._samples = sorted((STATIC / "samples").glob("*.jpg"))
        sessions = password = None
        if self._password is not None:
            key = session_key(self._folder)
            sessions = Sessions(key)
            password = Password(self._password, key=key, sessions=sessions, senders=self._senders)
        self._me.sessions = sessions
        if self._admin is not None:
            self._admin.know_visitors(sessions)
        app = web.Application(
            middlewares=[
                in_use,
                failures_are_sentences,
                guard(hosts=self._hosts, password=password),
                identify(sessions),
            ],
            client_max_size=self._uploads.max_total_bytes,
        )
        app.on_shutdown.append(self._changes.close)
        app.add_routes(
            [
                web.get("/", self._page),
                web.static("/static", STATIC),
                web.get("/api/info", self._info),
                *self._loading.routes(),
                *self._threads.routes(),
                *self._questions.routes(),
                *self._sharing.routes(),
                *self._me.routes(),
                *(route for handlers in self._beside for route in handlers.routes()),
            ]
        )
        return web.AppRunner(app, access_log=None, shutdown_timeout=1)

    # -- the page -----------------------------------------------------------------------------

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _info(self, request: web.Request) -> web.Response:
        locale = locale_of(request)
        sentences = catalogue(language_of(locale))
        asked_in = question_locale(self._core.model, locale)
        return web.json_response(
            {
                **self._loading.info(locale),
                "model": self._model(locale),
                "limits": self._uploads.limits_json(),
                "presets": await self._core.preset_names(locale),
                "samples": [
                    {
                        "url": f"/static/samples/{file.name}",
                        "name": file.name,
                        "title": say(locale, f"sample_{file.stem}"),
                        "question": say(asked_in, f"sample_{file.stem}_question"),
                    }
                    for file in self._samples
                    if file.stem not in SAMPLES_WITH_TEXT or self._reads_text()
                ],
                "texts": {k: v for k, v in sentences.items() if k.startswith(PAGE_TEXTS)},
                "language": language_of(locale),
            }
        )

    def _reads_text(self) -> bool:
        return reads_text(self._core.model, reads_pictures=self._core.reads_pictures)

    def _model(self, locale: str) -> dict[str, Any]:
        model = self._core.model
        if model is None:
            return {
                "name": self._model_name,
                "family": "",
                "device": "",
                "weights": "",
                "weights_bytes": None,
                "cannot": [],
            }
        return {
            "name": model.name,
            "family": model.family,
            "device": model.device,
            "weights": model.weights,
            "weights_bytes": model.weights_bytes,
            "cannot": limitations(model, locale, reads_pictures=self._core.reads_pictures),
        }
