"""The Discord adapter; `DISCORD` is its row in `PLATFORMS`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.entry import Doctor, Manifest, PlatformEntry, SetUp, TokenQuestion
from bot.platforms.findings import Finding, Verdict
from bot.settings import revealed
from bot.texts import say

if TYPE_CHECKING:
    from bot.platforms.discord.platform import Discord
    from bot.platforms.services import AdapterServices


def _make(services: AdapterServices, settings: DiscordSettings) -> Discord:
    from bot.platforms.discord.platform import Discord

    return Discord(
        core=services.answers,
        store=services.store,
        addressing=services.addressing,
        commands=services.commands,
        erasure=services.erasure,
        settings=settings,
        fetch_links=services.settings.fetch_links,
        pictures_per_question=services.settings.pictures_per_question,
        presence=services.presences.of(DISCORD.name),
    )


async def _examine(settings: DiscordSettings, channel: str | None) -> list[Finding]:
    from bot.platforms.discord.doctor import examine

    return await examine(settings, channel=channel)


def _add_manifest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--application", metavar="ID", help="Discord: the application's id")


def _manifest(settings: DiscordSettings, arguments: argparse.Namespace) -> str:
    from bot.platforms.discord.invitation import application_of, manifest

    token = revealed(settings.bot_token)
    known = None if token is None else application_of(token)
    return manifest(arguments.application or known, has_token=token is not None)


async def _verify(settings: DiscordSettings, _token: str) -> Verdict:
    from bot.platforms.discord.doctor import verify

    return await verify(settings)


def _after_setting_up(locale: str, settings: DiscordSettings) -> str:
    from bot.platforms.discord.invitation import NOT_KNOWN, application_of, invitation

    application = application_of(revealed(settings.bot_token) or "")
    return say(locale, "setup_discord_next", address=invitation(application or NOT_KNOWN))


DISCORD = PlatformEntry(
    name="discord",
    title="Discord",
    settings=DiscordSettings,
    make=_make,
    is_set_up=lambda settings: settings.is_set_up,
    check=lambda settings: settings.check(),
    allow_list=lambda settings: settings.allow_list,
    doctor=Doctor(examine=_examine, is_channel=str.isdigit, channel_form="a number"),
    manifest=Manifest(add_arguments=_add_manifest_arguments, make=_manifest),
    set_up=SetUp(
        before=lambda locale: say(locale, "setup_discord_app"),
        tokens=(
            TokenQuestion(
                setting="bot_token", sentence="setup_discord_bot_token", form="MTAx….GAbc12.…"
            ),
        ),
        verify=_verify,
        after=_after_setting_up,
    ),
)
