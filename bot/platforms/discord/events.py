"""What Discord tells, in our values. Pure: nothing here asks anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import discord

from bot.messages import Attachment, Author, MessageKey, ThreadKey
from bot.public_web import file_name, names_a_picture

PLATFORM = "discord"
MODAL = "modal"
"""Begins the id of a question that was asked in a modal: it is no message of Discord's."""

ANSWERED_TYPES = {discord.MessageType.default, discord.MessageType.reply}
PICTURE_EMBEDS = {"image", "gifv", "rich"}
"""A page's preview is no picture that was shown."""
STICKER_PICTURES = {
    discord.StickerFormatType.png,
    discord.StickerFormatType.apng,
    discord.StickerFormatType.gif,
}

USER = re.compile(r"<@!?(\d+)>")
ROLE = re.compile(r"<@&(\d+)>")
CHANNEL = re.compile(r"<#(\d+)>")
EMOJI = re.compile(r"<a?(:\w+:)\d+>")
LINK = re.compile(r"https?://[^\s<>]+")
KANA = re.compile(r"[\u3040-\u30ff]")
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]")

Place = (
    discord.TextChannel
    | discord.VoiceChannel
    | discord.StageChannel
    | discord.Thread
    | discord.DMChannel
    | discord.GroupChannel
    | discord.PartialMessageable
)
"""Where messages are."""
Threadable = discord.TextChannel
"""Channels whose messages begin threads; every other kind is answered in place."""


def message_key(guild: str, channel: str, message: str) -> MessageKey:
    """A message, where it stands: a thread is a channel of its own."""
    return MessageKey(platform=PLATFORM, team=guild, channel=channel, message=message)


def thread_key(guild: str, channel: str, thread: str) -> ThreadKey:
    """A thread of a channel; a thread that begins with a message has that message's id."""
    return ThreadKey(platform=PLATFORM, team=guild, channel=channel, thread=thread)


def thread_at(channel: Place, message: str) -> ThreadKey:
    """The thread that a message in this place belongs to, or begins."""
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


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a person."""

    message: discord.Message
    place: Place
    bot_user: int

    @property
    def guild(self) -> str:
        """Empty in a direct message."""
        return "" if self.message.guild is None else str(self.message.guild.id)

    @property
    def key(self) -> MessageKey:
        """What it is claimed by."""
        return message_key(self.guild, str(self.place.id), str(self.message.id))

    @property
    def direct(self) -> bool:
        """Said to the bot alone."""
        return self.message.guild is None

    @property
    def begins_thread(self) -> bool:
        """It stands in a channel, not in a thread."""
        return not self.direct and not isinstance(self.place, discord.Thread)

    @property
    def author(self) -> Author:
        """Who said it."""
        return author_of(self.message.author)

    @property
    def mentions_bot(self) -> bool:
        """By name, by its own role, or by a reply that calls on it."""
        if any(user.id == self.bot_user for user in self.message.mentions):
            return True
        own_role = None if self.message.guild is None else self.message.guild.self_role
        return own_role is not None and own_role.id in self.message.raw_role_mentions

    @property
    def mentions_others(self) -> bool:
        """Whether it calls on somebody else."""
        message = self.message
        own_role = None if message.guild is None else message.guild.self_role
        others = {user.id for user in message.mentions} - {self.bot_user, message.author.id}
        roles = set(message.raw_role_mentions) - ({own_role.id} if own_role else set())
        return bool(others or roles or message.mention_everyone)

    @property
    def reply_to(self) -> tuple[str, str] | None:
        """(channel, message) that it is a reply to."""
        reference = self.message.reference
        if self.message.type is not discord.MessageType.reply or reference is None:
            return None
        return str(reference.channel_id), str(reference.message_id)

    @property
    def text(self) -> str:
        """What a person reads, without the bot's mention."""
        message, own = self.message, list[int]()
        people = {str(user.id): user.display_name for user in message.mentions}
        roles: dict[str, str] = {}
        channels: dict[str, str] = {}
        if message.guild is not None:
            roles = {str(role.id): role.name for role in message.role_mentions}
            channels = {str(it.id): it.name for it in message.channel_mentions}
            if message.guild.self_role is not None:
                own.append(message.guild.self_role.id)
        text = message.content
        for mention in (rf"<@!?{self.bot_user}>", *(rf"<@&{role}>" for role in own)):
            text = re.sub(rf"[ \t]*{mention}[,:]?[ \t]*", " ", text)
        text = USER.sub(lambda it: f"@{people.get(it[1], 'somebody')}", text)
        text = ROLE.sub(lambda it: f"@{roles.get(it[1], 'role')}", text)
        text = CHANNEL.sub(lambda it: f"#{channels.get(it[1], 'channel')}", text)
        return EMOJI.sub(lambda it: it[1], text).strip()


def is_said_by_a_person(message: discord.Message) -> bool:
    """Not by a bot, a webhook, or Discord itself."""
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


# -- pictures -----------------------------------------------------------------------------------


def attachments_of(message: discord.Message, *, links: bool) -> tuple[Attachment, ...]:
    """Everything of a message that may be a picture, each once, in its order.

    Its files and stickers, those of messages it forwards, and, with `links`, pictures it embeds or
    links to.
    """
    found: dict[str, Attachment] = {}
    for attachment in _all_attachments(message, links=links):
        found.setdefault(attachment.ref, attachment)
    return tuple(found.values())


def _all_attachments(message: discord.Message, *, links: bool) -> Iterator[Attachment]:
    parts: list[discord.Message | discord.MessageSnapshot] = [message, *message.message_snapshots]
    for part in parts:
        for file in part.attachments:
            yield file_attachment(message.channel.id, message.id, file)
        for sticker in part.stickers:
            if sticker.format in STICKER_PICTURES:
                yield Attachment(name=sticker.name, ref=json.dumps({"cdn": sticker.url}))
        if links:
            yield from _linked(part.content, part.embeds)


def _linked(text: str, embeds: Iterable[discord.Embed]) -> Iterator[Attachment]:
    proxied = {}
    for embed in embeds:
        if embed.type in PICTURE_EMBEDS:
            picture = embed.image if embed.image.url else embed.thumbnail
            if picture.url:
                proxied[embed.url or picture.url] = picture.proxy_url or picture.url
    addresses = [it.rstrip(".,;:!?)]}'\"") for it in LINK.findall(text)]
    for address in dict.fromkeys([*filter(names_a_picture, addresses), *proxied]):
        # Discord has fetched what it shows: its copy is asked for, not the page it came from.
        kind = {"cdn": proxied[address]} if address in proxied else {"link": address}
        yield Attachment(name=file_name(address), ref=json.dumps(kind))


def file_attachment(channel: int | str, message: int | str, file: discord.Attachment) -> Attachment:
    """A file of a message. Its address expires: the message has a fresh one."""
    ref = {"channel": str(channel), "message": str(message), "file": str(file.id), "url": file.url}
    return Attachment(
        name=file.filename, ref=json.dumps(ref, sort_keys=True), size_bytes=file.size or None
    )


def passing_attachment(file: discord.Attachment) -> Attachment:
    """A file given to a command: no message holds it."""
    return Attachment(
        name=file.filename, ref=json.dumps({"cdn": file.url}), size_bytes=file.size or None
    )


def attachment_of(channel: str, message: str) -> Attachment:
    """The pictures of another message, to be looked up: the one that is replied to."""
    return Attachment(
        name="", ref=json.dumps({"channel": channel, "message": message}), earlier=True
    )
