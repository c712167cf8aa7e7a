"""The Slack adapter; `SLACK` is its row in `PLATFORMS`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bot.platforms.entry import Doctor, Manifest, PlatformEntry, SetUp, TokenQuestion
from bot.platforms.findings import Finding, Verdict
from bot.platforms.slack.settings import SlackSettings
from bot.texts import say

if TYPE_CHECKING:
    from bot.platforms.services import AdapterServices
    from bot.platforms.slack.platform import Slack


def _make(services: AdapterServices, settings: SlackSettings) -> Slack:
    from bot.platforms.slack.platform import Slack

    return Slack(
        core=services.answers,
        store=services.store,
        addressing=services.addressing,
        commands=services.commands,
        erasure=services.erasure,
        settings=settings,
        fetch_links=services.settings.fetch_links,
        pictures_per_question=services.settings.pictures_per_question,
        presence=services.presences.of(SLACK.name),
    )


async def _examine(settings: SlackSettings, channel: str | None) -> list[Finding]:
    from bot.platforms.slack.doctor import examine

    return await examine(settings, channel=channel)


def _add_manifest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--address", metavar="https://…", help="Slack's HTTP mode: where Slack reaches the bot"
    )
    parser.add_argument("--name", default="llava-bot", help="Slack: what the bot is called")


def _manifest(_settings: SlackSettings, arguments: argparse.Namespace) -> dict[str, Any]:
    from bot.platforms.slack.manifest import manifest

    return manifest(address=arguments.address, name=arguments.name)


def _before_setting_up(locale: str) -> str:
    from bot.platforms.slack.manifest import creation_link

    return say(locale, "setup_slack_app", link=creation_link())


async def _verify(settings: SlackSettings, token: str) -> Verdict:
    from bot.platforms.slack.doctor import verify

    return await verify(settings, token)


SLACK = PlatformEntry(
    name="slack",
    title="Slack",
    settings=SlackSettings,
    make=_make,
    is_set_up=lambda settings: settings.is_set_up,
    check=lambda settings: settings.check(),
    allow_list=lambda settings: settings.allow_list,
    doctor=Doctor(
        examine=_examine,
        is_channel=lambda channel: not channel.isdigit(),
        channel_form="C…",
    ),
    manifest=Manifest(add_arguments=_add_manifest_arguments, make=_manifest),
    set_up=SetUp(
        before=_before_setting_up,
        tokens=(
            TokenQuestion(setting="bot_token", sentence="setup_slack_bot_token", form="xoxb-…"),
            TokenQuestion(setting="app_token", sentence="setup_slack_app_token", form="xapp-…"),
        ),
        verify=_verify,
        after=lambda locale, _: say(locale, "setup_slack_next"),
    ),
)
