"""The workspaces that have the app: their tokens, the bot's own ids, their people."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack.api import SlackApi, SlackRefused, SlackUnreachable
from inference.failures import in_one_line

log = logging.getLogger(__name__)

PERSON_KEPT_S = 3600
MAX_PEOPLE = 10_000
INSTALLATION_KEPT_S = 300
REFUSAL_KEPT_S = 3600

MakeClient = Callable[[str], AsyncWebClient]
"""Makes a client of the Web API for a token."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a workspace."""

    name: str = field(default="", repr=False)
    locale: str = "en"
    is_admin: bool = False


class FeatureSupport:
    """Whether a feature works, by channel; after a refusal it is tried again in an hour."""

    def __init__(self) -> None:
        self._refused_until: dict[str, float] = {}
        self._worked: set[str] = set()

    def may_try(self, channel: str) -> bool:
        """Whether it is worth a call."""
        return self._refused_until.get(channel, 0) < time.monotonic()

    def has_worked(self, channel: str) -> bool:
        """Whether it worked there before."""
        return channel in self._worked

    def note_success(self, channel: str) -> None:
        """It worked there."""
        self._worked.add(channel)

    def note_refusal(self, channel: str) -> None:
        """Slack refused it there."""
        self._refused_until[channel] = time.monotonic() + REFUSAL_KEPT_S


class NotInstalled(Exception):
    """No token is known for a workspace."""


class Workspace:
    """One workspace with the app in it."""

    def __init__(
        self, *, team: str, bot_user: str, bot: str, token: str, api: SlackApi, name: str = ""
    ) -> None:
        self.team = team
        self.name = name or team
        self.bot_user = bot_user
        self.bot = bot
        self.token = token
        self.api = api
        self.streams = FeatureSupport()
        """Where answers can be streamed."""
        self.has_sessions = FeatureSupport()
        """Where agent sessions, with Slack's own status and stop, work."""
        self._people: OrderedDict[str, tuple[float, Person]] = OrderedDict()

    async def person(self, user: str) -> Person:
        """A person's name, language and role; the defaults when Slack does not answer."""
        kept = self._people.get(user)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        try:
            found = (await self.api.read("users.info", user=user, include_locale="true"))["user"]
        except (SlackRefused, SlackUnreachable, KeyError) as exc:
            log.warning(
                "users.info failed: %s", exc if isinstance(exc, SlackRefused) else in_one_line(exc)
            )
            return kept[1] if kept is not None else Person()
        profile = found.get("profile") or {}
        person = Person(
            name=profile.get("display_name") or found.get("real_name") or found.get("name") or "",
            locale=found.get("locale") or "en",
            is_admin=bool(
                found.get("is_admin") or found.get("is_owner") or found.get("is_primary_owner")
            ),
        )
        self._people[user] = (time.monotonic() + PERSON_KEPT_S, person)
        while len(self._people) > MAX_PEOPLE:
            self._people.popitem(last=False)
        return person


class Workspaces:
    """All of them: one by its token, or those that have installed the app by OAuth."""

    def __init__(
        self,
        make_client: MakeClient,
        *,
        token: str | None = None,
        installations: AsyncInstallationStore | None = None,
        teams: Callable[[], Awaitable[list[tuple[str, str | None]]]],
    ) -> None:
        """`teams`: (team, enterprise) of every installation."""
        self._make_client = make_client
        self._token = token
        self._installations = installations
        self._teams = teams
        self._known: dict[str, tuple[float, Workspace]] = {}
        self._looking = asyncio.Lock()

    async def of(self, team: str, enterprise: str | None = None) -> Workspace:
        """The workspace of a team. Raises: NotInstalled, SlackRefused, SlackUnreachable."""
        kept = self._known.get("" if self._token else team)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        # One look-up at a time, in the order of the callers, so that their events keep their order.
        async with self._looking:
            kept = self._known.get("" if self._token else team)
            if kept is not None and kept[0] > time.monotonic():
                return kept[1]
            if self._token:
                workspace, known_until = await self._by_token(self._token), float("inf")
                self._known[""] = (known_until, workspace)
            else:
                workspace = await self._installed(team, enterprise, kept and kept[1])
                self._known[team] = (time.monotonic() + INSTALLATION_KEPT_S, workspace)
            return workspace

    async def teams(self) -> list[tuple[str, str | None]]:
        """(team, enterprise) of every workspace, for `of`."""
        return [("", None)] if self._token else list(await self._teams())

    @property
    def names(self) -> list[str]:
        """What those are called that have been used."""
        return sorted(workspace.name for _, workspace in self._known.values())

    def forget(self, team: str) -> None:
        """Its token is no longer valid."""
        self._known.pop(team, None)

    async def _by_token(self, token: str) -> Workspace:
        api = SlackApi(self._make_client(token))
        who = await api.read("auth.test")
        return Workspace(
            team=who["team_id"],
            bot_user=who["user_id"],
            bot=who.get("bot_id", ""),
            token=token,
            api=api,
            name=str(who.get("team") or ""),
        )

    async def _installed(
        self, team: str, enterprise: str | None, before: Workspace | None
    ) -> Workspace:
        if self._installations is None:
            raise NotInstalled(team)
        bot = await self._installations.async_find_bot(
            enterprise_id=enterprise, team_id=team, is_enterprise_install=False
        )
        if bot is None:
            raise NotInstalled(team)
        if before is not None and before.token == bot.bot_token:
            return before  # with the people and the rates it knows
        return Workspace(
            team=team,
            bot_user=bot.bot_user_id or "",
            bot=bot.bot_id or "",
            token=bot.bot_token,
            api=SlackApi(self._make_client(bot.bot_token)),
            name=bot.team_name or "",
        )
