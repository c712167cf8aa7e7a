"""`/llava` and its subcommands, as Discord shows them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import discord
from discord import app_commands

from bot.core.channel_settings.names import WORDS
from bot.core.commands import Command
from bot.platforms.discord.locales import word
from bot.platforms.discord.modals import MAX_OPTIONS

Interaction = discord.Interaction[discord.Client]
Run: TypeAlias = Callable[[Interaction, Command, str], Coroutine[Any, Any, None]]
"""What runs a command with the words after it."""

SUBCOMMANDS = {
    Command.HELP: ("help", "discord_llava_help"),
    Command.STATUS: ("status", "discord_llava_status"),
    Command.FORGET_ME: ("forget-me", "discord_llava_forget_me"),
    Command.FORGET_THREAD: ("forget-thread", "discord_llava_forget_thread"),
    Command.MUTE: ("mute", "discord_llava_mute"),
    Command.UNMUTE: ("unmute", "discord_llava_unmute"),
    Command.USAGE: ("usage", "discord_llava_usage"),
}
"""Command → (its name after /llava, its description)."""


def llava_group(run: Run, model_names: Callable[[], Sequence[str]]) -> app_commands.Group:
    """The group of all subcommands. `model_names`: those that can be chosen."""
    group = app_commands.Group(name="llava", description=word("discord_llava"))
    for command, (name, description) in SUBCOMMANDS.items():
        group.add_command(_plain(run, command, name, description))
    group.add_command(_model(run, model_names))
    group.add_command(_settings(run))
    return group


def _plain(
    run: Run, command: Command, name: str, description: str
) -> app_commands.Command[Any, ..., None]:
    async def callback(interaction: Interaction) -> None:
        await run(interaction, command, "")

    return app_commands.Command(name=name, description=word(description), callback=callback)


def _model(
    run: Run, model_names: Callable[[], Sequence[str]]
) -> app_commands.Command[Any, ..., None]:
    @app_commands.describe(name=word("discord_llava_model_name"))
    async def callback(interaction: Interaction, name: str = "") -> None:
        await run(interaction, Command.MODEL, name)

    command = app_commands.Command[Any, ..., None](
        name="model", description=word("discord_llava_model"), callback=callback
    )

    @command.autocomplete("name")
    async def names(_: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        fitting = [one for one in model_names() if typed.lower() in one]
        return [app_commands.Choice(name=one, value=one) for one in fitting[:MAX_OPTIONS]]

    return command


def _settings(run: Run) -> app_commands.Command[Any, ..., None]:
    choices = [app_commands.Choice(name=one, value=one) for one in WORDS]

    @app_commands.describe(
        change=word("discord_llava_settings_change"),
        value=word("discord_llava_settings_value"),
    )
    @app_commands.choices(change=choices)
    async def callback(interaction: Interaction, change: str = "", value: str = "") -> None:
        await run(interaction, Command.SETTINGS, f"{change} {value}".strip())

    return app_commands.Command[Any, ..., None](
        name="settings", description=word("discord_llava_settings"), callback=callback
    )
