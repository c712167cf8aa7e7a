"""The Discord adapter; `DISCORD` is its row in `PLATFORMS`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.entry import Doctor, Manifest, PlatformEntry
from bot.platforms.findings import Finding
from bot.settings import revealed

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
)
