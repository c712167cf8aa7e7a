"""Discord's events as our values. Pure: no calls to Discord."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import discord

from bot.values.messages import Author, MessageKey, ThreadKey

PLATFORM = "discord"

ANSWERED_TYPES = {discord.MessageType.default, discord.MessageType.reply}

USER = re.compile(r"<@!?(\d+)>")
ROLE = re.compile(r"<@&(\d+)>")
CHANNEL = re.compile(r"<#(\d+)>")
EMOJI = re.compile(r"<a?(:\w+:)\d+>")
KANA = re.compile(r"[\u3040-\u30ff]")
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]")

MessageChannel = (
    discord.TextChannel
    | discord.VoiceChannel
    | discord.StageChannel
    | discord.Thread
    | discord.DMChannel
    | discord.GroupChannel
    | discord.PartialMessageable
)
"""Channels that hold messages."""
Threadable = discord.TextChannel
"""Channels whose messages begin threads; questions in every other kind are answered there."""


def message_key(guild: str, channel: str, message: str) -> MessageKey:
    """A message, where it stands: a thread is a channel of its own."""
    return MessageKey(platform=PLATFORM, team=guild, channel=channel, message=message)


def thread_key(guild: str, channel: str, thread: str) -> ThreadKey:
    """A thread of a channel; a thread that begins with a message has that message's id."""
    return ThreadKey(platform=PLATFORM, team=guild, channel=channel, thread=thread)


def thread_at(channel: MessageChannel, message: str) -> ThreadKey:
    """The thread that a message in this channel belongs to, or begins."""
    if isinstance(channel, discord.Thread):
        return thread_key(str(channel.guild.id), str(channel.parent_id), str(channel.id))
    guild = getattr(channel, "guild", None)
    if guild is None:
        return thread_key("", str(channel.id), str(channel.id))
    return thread_key(str(guild.id), str(channel.id), message)


def sent_at(snowflake: int | str) -> float:
    """When a message was sent, in seconds since 1970: its id says so to the millisecond."""
    return discord.utils.snowflake_time(int(snowflake)).timestamp()


def author_of(user: discord.User | discord.Member) -> Author:
    """A person, with their roles in the server."""
    roles = tuple(str(role.id) for role in user.roles) if isinstance(user, discord.Member) else ()
    return Author(id=str(user.id), name=user.display_name, roles=roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordMessage:
    """A message of a person; implements `bot.platforms.chat.intake.ChatMessage`."""

    event: discord.Message
    channel: MessageChannel
    bot_user: int
    thread: ThreadKey
    """The one it belongs to, or begins."""

    @property
    def guild(self) -> str:
        """Empty in a direct message."""
        return "" if self.event.guild is None else str(self.event.guild.id)

    @property
    def key(self) -> MessageKey:
        """What it is claimed by."""
        return message_key(self.guild, str(self.channel.id), str(self.event.id))

    @property
    def sent_at(self) -> float:
        """Seconds since 1970."""
        return sent_at(self.event.id)

    @property
    def is_direct(self) -> bool:
        """Written to the bot alone."""
        return self.event.guild is None

    @property
    def is_addressed(self) -> bool:
        """Whether it calls on the bot by itself, wherever it stands."""
        return self.is_direct or self.mentions_bot

    @property
    def begins_thread(self) -> bool:
        """It stands in a channel, not in a thread."""
        return not self.is_direct and not isinstance(self.channel, discord.Thread)

    @property
    def author(self) -> Author:
        """Its author, with their roles where Discord sent them."""
        return author_of(self.event.author)

    @property
    def mentions_bot(self) -> bool:
        """By name, by its own role, or by a reply that calls on it."""
        if any(user.id == self.bot_user for user in self.event.mentions):
            return True
        own_role = None if self.event.guild is None else self.event.guild.self_role
        return own_role is not None and own_role.id in self.event.raw_role_mentions

    @property
    def mentions_others(self) -> bool:
        """Whether it calls on somebody else."""
        event = self.event
        own_role = None if event.guild is None else event.guild.self_role
        others = {user.id for user in event.mentions} - {self.bot_user, event.author.id}
        roles = set(event.raw_role_mentions) - ({own_role.id} if own_role else set())
        return bool(others or roles or event.mention_everyone)

    @property
    def reply_to(self) -> tuple[str, str] | None:
        """(channel, message) that it is a reply to."""
        return reply_to_of(self.event)

    @property
    def unmentioned(self) -> str:
        """Its text as Discord writes it, without the bot's mention."""
        own = None if self.event.guild is None else self.event.guild.self_role
        text = self.event.content
        for mention in (rf"<@!?{self.bot_user}>", *([] if own is None else [rf"<@&{own.id}>"])):
            # Not anew at each of many spaces: the loop waits.
            text = re.sub(rf"(?:(?<![ \t])[ \t]+)?{mention}[,:]?[ \t]*", " ", text)
        return text

    @property
    def text(self) -> str:
        """What a person reads, without the bot's mention."""
        event = self.event
        people = {str(user.id): user.display_name for user in event.mentions}
        roles: dict[str, str] = {}
        channels: dict[str, str] = {}
        if event.guild is not None:
            roles = {str(role.id): role.name for role in event.role_mentions}
            channels = {str(channel.id): channel.name for channel in event.channel_mentions}
        text = USER.sub(lambda found: f"@{people.get(found[1], 'somebody')}", self.unmentioned)
        text = ROLE.sub(lambda found: f"@{roles.get(found[1], 'role')}", text)
        text = CHANNEL.sub(lambda found: f"#{channels.get(found[1], 'channel')}", text)
        return EMOJI.sub(lambda found: found[1], text).strip()


def reply_to_of(event: discord.Message) -> tuple[str, str] | None:
    """(channel, message) that a message is a reply to; a forward is none."""
    reference = event.reference
    if event.type is not discord.MessageType.reply or reference is None:
        return None
    return str(reference.channel_id), str(reference.message_id)


def is_from_a_person(message: discord.Message) -> bool:
    """Not from a bot, a webhook, or Discord itself."""
    return (
        message.type in ANSWERED_TYPES
        and not message.author.bot
        and message.webhook_id is None
        and not message.flags.ephemeral
    )


def locale_of(text: str, guild: discord.Guild | None) -> str:
    """The language a person writes in, else their server's."""
    if KANA.search(text):
        return "ja"
    if guild is None or (LATIN.search(text) and not HAN.search(text)):
        return "en"
    return guild.preferred_locale.value


def channel_of(interaction: discord.Interaction[Any]) -> MessageChannel | None:
    """The channel it happened in, if messages can be posted there."""
    channel = interaction.channel
    if channel is None or isinstance(channel, discord.ForumChannel | discord.CategoryChannel):
        return None
    return channel
