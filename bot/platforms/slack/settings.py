"""Slack's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from bot.core.access import AllowList
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.tokens import token_problems
from bot.settings import Ids, SettingsGroup


class SlackSettings(SettingsGroup):
    """The variables that begin with `SLACK_`."""

    prefix: ClassVar[str] = "SLACK_"
    shapes: ClassVar[Mapping[str, re.Pattern[str]]] = {
        "bot_token": re.compile(r"(xoxe\.)?xoxb-[\w-]+"),
        "app_token": re.compile(r"xapp-[\w-]+"),
    }

    bot_token: SecretStr | None = Field(
        None, examples=["xoxb-…"], description="Slack: the bot token (`xoxb-…`), for one workspace."
    )
    app_token: SecretStr | None = Field(
        None,
        examples=["xapp-…"],
        description="Slack: the app-level token (`xapp-…`); with it, Socket Mode is used.",
    )
    signing_secret: SecretStr | None = Field(
        None,
        examples=["…"],
        description="Slack: the signing secret; without an app token, HTTP mode is used.",
    )
    client_id: str | None = Field(
        None,
        examples=["123.456"],
        description="Slack: with the client secret, several workspaces can install the app.",
    )
    client_secret: SecretStr | None = Field(
        None, examples=["…"], description="Slack: the client secret, for installations by OAuth."
    )
    api_url: str = Field(
        "https://slack.com/api/",
        description="Slack: address of the Web API; `https://slack-gov.com/api/` for GovSlack.",
    )
    http_host: str = Field(
        "127.0.0.1", description="Slack: address that HTTP mode and OAuth listen on."
    )
    http_port: int = Field(
        3000, ge=0, le=65535, description="Slack: port that HTTP mode and OAuth listen on."
    )
    teams: Ids = Field(
        frozenset(),
        examples=["T0123ABCD"],
        description="Slack: workspaces (`T…`) that may ask; in channels shared with another "
        "workspace, its people need it on the list. Empty allows all.",
    )
    channels: Ids = Field(
        frozenset(),
        examples=["C0123ABCD,C4567EFGH"],
        description="Slack: channels (`C…`) where the bot answers; empty allows all.",
    )
    users: Ids = Field(
        frozenset(),
        examples=["U0123ABCD"],
        description="Slack: people (`U…`) who may ask; empty allows all.",
    )

    direct_messages: bool = Field(
        True, examples=["false"], description="Slack: answer direct messages."
    )
    admins: Ids = Field(
        frozenset(),
        examples=["U0123ABCD"],
        description="Slack: people (`U…`) who, like the workspace's admins, may mute and forget "
        "threads of others and choose a channel's settings.",
    )

    @field_validator("api_url")
    @classmethod
    def _ends_with_a_slash(cls, address: str) -> str:
        if not address.startswith(("https://", "http://")):
            raise ValueError("it is not a web address")
        return address if address.endswith("/") else f"{address}/"

    @property
    def is_set_up(self) -> bool:
        """Whether somebody has begun to set Slack up."""
        return bool(self.bot_token or self.app_token or self.client_id)

    @property
    def allow_list(self) -> AllowList:
        """Who may ask."""
        return AllowList(
            teams=self.teams,
            channels=self.channels,
            users=self.users,
            direct=self.direct_messages,
            direct_prefix="D",
            admins=self.admins,
        )

    def check(self) -> None:
        """Look at the tokens without asking Slack.

        Raises:
            PlatformUnavailable: names everything that is missing or wrong, and what to do.
        """
        problems = token_problems(
            {
                "SLACK_BOT_TOKEN": (self.bot_token, self.shapes["bot_token"], "xoxb-…"),
                "SLACK_APP_TOKEN": (self.app_token, self.shapes["app_token"], "xapp-…"),
            }
        )
        if not self.app_token and not self.signing_secret:
            problems.append(
                "Set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP mode)."
            )
        if not self.bot_token and not (self.client_id and self.client_secret):
            problems.append(
                "Set SLACK_BOT_TOKEN (one workspace), or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET "
                "(several)."
            )
        if problems:
            raise PlatformUnavailable(*problems)
