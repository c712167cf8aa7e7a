"""What the bot must be allowed, and what it is not."""

from __future__ import annotations

from typing import Any

import discord

from bot.texts import say

NEEDED = {
    "view_channel": "to see the channels it is asked in",
    "send_messages": "to answer in channels that have no threads, and say why it cannot elsewhere",
    "read_message_history": "to find pictures sent earlier, and questions it has missed",
    "create_public_threads": "to open a thread under a question",
    "send_messages_in_threads": "to answer there",
    "connect": "to answer in the text of voice channels",
    "attach_files": "to post a long text that it read as a file",
}
"""Permission, as discord.py calls it → what it is for."""

NAMES = {
    "view_channel": "permission_view_channel",
    "send_messages": "permission_send_messages",
    "read_message_history": "permission_read_message_history",
    "create_public_threads": "permission_create_public_threads",
    "send_messages_in_threads": "permission_send_messages_in_threads",
    "connect": "permission_connect",
    "attach_files": "permission_attach_files",
}
IN_THREADS = ("view_channel", "read_message_history", "send_messages_in_threads")
IN_TEXT = (
    "view_channel",
    "send_messages",
    "read_message_history",
    "create_public_threads",
    "send_messages_in_threads",
)
IN_VOICE = ("view_channel", "connect", "send_messages", "read_message_history")


def permissions() -> discord.Permissions:
    """All that is needed, and nothing else."""
    return discord.Permissions(**dict.fromkeys(NEEDED, True))


def needed_in(channel: object) -> tuple[str, ...]:
    """What is needed to answer in a channel of this kind; nothing where it is never asked."""
    if isinstance(channel, discord.Thread):
        return IN_THREADS
    if isinstance(channel, discord.TextChannel):
        return IN_TEXT
    if isinstance(channel, discord.VoiceChannel | discord.StageChannel):
        return IN_VOICE
    if isinstance(channel, discord.ForumChannel):
        return IN_THREADS
    return ()


def missing_in(channel: Any, member: discord.Member) -> list[str]:
    """What of it a member lacks."""
    try:
        granted = channel.permissions_for(member)
    except discord.ClientException:  # a thread whose channel is hidden
        return ["view_channel"]
    return [name for name in needed_in(channel) if not getattr(granted, name)]


def may_manage(channel: Any, user: discord.User | discord.Member) -> bool:
    """Whether a person may manage a channel; everybody may in a direct message of their own."""
    if not isinstance(user, discord.Member):
        return getattr(channel, "guild", None) is None
    try:
        return bool(channel.permissions_for(user).manage_channels)
    except discord.ClientException:
        return user.guild_permissions.manage_channels


def permission_name(locale: str, permission: str) -> str:
    """As Discord's own settings call it."""
    return say(locale, NAMES[permission])


def may_manage_here(interaction: discord.Interaction[Any]) -> bool:
    """Whether this person may manage the channel, as Discord says; their own they may."""
    return interaction.guild_id is None or interaction.permissions.manage_channels
