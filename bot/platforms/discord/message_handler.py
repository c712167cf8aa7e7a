"""From Discord's events to questions of the core: who is meant, where, which version."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import discord
from cachetools import LRUCache

from bot.core.addressing import Addressing, MessageFacts
from bot.core.commands import IN_THREADS, Command, Commands, parse
from bot.core.erasure import Erasure
from bot.errors import UserFacingError
from bot.platforms.chat.thread_locks import ThreadLocks
from bot.platforms.discord.api import DiscordRefused, write
from bot.platforms.discord.attachments import attachment_of, emoji_of, poll_of
from bot.platforms.discord.events import (
    PLATFORM,
    DiscordMessage,
    author_of,
    is_said_by_a_person,
    locale_of,
    message_key,
    sent_at,
    thread_at,
    thread_key,
)
from bot.platforms.discord.origin import Origin
from bot.platforms.discord.permissions import may_manage
from bot.platforms.discord.replies.context import AdapterContext
from bot.platforms.discord.replies.exchange import DiscordExchange
from bot.platforms.discord.replies.parts import place_of, reply_id
from bot.platforms.discord.replies.writing import remove
from bot.platforms.platform import Core
from bot.store import StoreFailed
from bot.texts import say
from bot.values.messages import Attachment, Author, IncomingMessage, MessageKey, ThreadKey, TryLater

log = logging.getLogger(__name__)

MAX_DELETED = 10_000
MAX_EDITS = 10_000
MAX_SHOWN = 1000
SHOWN_BEFORE_S = 60
EDIT_IS_NEW_S = 15 * 60
"""Discord tells an old edit again when it changes something itself: a pin, a preview, a thread."""


class MessageHandler:
    """Hears what is said and decides nothing: `Addressing` does. Lives as long as the adapter.

    Implements `bot.platforms.discord.connection.GatewayListener`.
    """

    def __init__(
        self,
        *,
        core: Core,
        addressing: Addressing,
        commands: Commands,
        erasure: Erasure,
        adapter: AdapterContext,
        catch_up: Callable[[int], Awaitable[None]],
        look_through: Callable[[int], Awaitable[None]],
    ) -> None:
        """
        `catch_up`: looks for what was said before a shard's new session.
        `look_through`: looks for what was said in one channel or thread.
        """
        self._core = core
        self._addressing = addressing
        self._commands = commands
        self._erasure = erasure
        self._adapter = adapter
        self._catch_up = catch_up
        self._look_through = look_through
        self._locks = ThreadLocks()
        self._deleted: LRUCache[MessageKey, None] = LRUCache(MAX_DELETED)
        self._edits: LRUCache[MessageKey, float] = LRUCache(MAX_EDITS)
        self._shown: LRUCache[tuple[int, int], tuple[float, tuple[Attachment, ...]]] = LRUCache(
            MAX_SHOWN
        )
        self.intake = True

    def exchange(self, message: IncomingMessage) -> DiscordExchange:
        """For a question of this adapter's."""
        return DiscordExchange(self._adapter, message)

    async def on_shard_ready(self, shard: int) -> None:
        """See `GatewayListener`."""
        if self.intake:
            await self._catch_up(shard)

    async def on_unparsed(self, channel: int) -> None:
        """See `GatewayListener`."""
        if self.intake:
            await self._look_through(channel)

    # -- messages -----------------------------------------------------------------------------

    async def on_message(self, message: discord.Message) -> None:
        """A message was sent."""
        if not self.intake:
            return
        it = await self.said(message)
        if it is not None:
            await self.heard(it)
        else:
            self._shown_by_somebody(message)

    def _shown_by_somebody(self, message: discord.Message) -> None:
        """No question, but its pictures may be what the next one is about."""
        is_own = message.author.id == self._adapter.connection.bot_user
        if is_own or not isinstance(message.channel, discord.Thread):
            return
        if self._adapter.pictures.of_message(message):
            self._adapter.pictures.left_alone(thread_at(message.channel, str(message.id)))

    async def said(self, message: discord.Message) -> DiscordMessage | None:
        """A message of a person in a place that the bot knows; else `None`."""
        if not is_said_by_a_person(message):
            return None
        place: Any = message.channel
        if isinstance(place, discord.PartialMessageable) and message.guild is not None:
            place = await self._adapter.connection.channel(
                place.id
            )  # a thread found in the archive
            if place is None:
                return None
            if isinstance(place, discord.PartialMessageable):
                place = message.channel  # nothing is known of it but its server
        return DiscordMessage(message, place, self._adapter.connection.bot_user)

    async def heard(self, it: DiscordMessage, *, late: bool = False) -> None:
        """A message of a person.

        `late`: found in the history. Commands are not run late: they leave no claim, and what was
        forgotten before a restart must not be forgotten again after it.
        """
        told_to = it.direct or it.mentions_bot
        if not told_to and not self._adapter.connection.sees_all_messages:
            return  # Discord does not tell what it says
        thread = await self._thread(it)
        if it.begins_thread and thread.thread == it.key.message and not told_to:
            self._note_pictures(it)
            return  # the channel's own talk
        async with self._locks.of(thread):
            text = await self._look_at(it, thread, late=late)
        command = None if text is None else parse(text)
        if command is not None and not late:
            await self._run(command, it, thread)

    async def _thread(self, it: DiscordMessage) -> ThreadKey:
        """In a channel, a reply to an answer goes on in that answer's thread."""
        reply_to = it.reply_to
        if it.begins_thread and reply_to is not None:
            reply = reply_id(int(reply_to[0]), int(reply_to[1]))
            # Where the store cannot be read, it begins a thread of its own.
            with contextlib.suppress(StoreFailed):
                known = await self._adapter.store.replies.thread_of(PLATFORM, reply)
                if known is not None:
                    return known
        return thread_at(it.place, it.key.message)

    async def _look_at(self, it: DiscordMessage, thread: ThreadKey, *, late: bool) -> str | None:
        """Ask, if it is a question. Returns: its words, or a command's; `None`: not for the bot."""
        addressed = await self._addressing.is_for_the_bot(
            MessageFacts(
                thread=thread,
                sent_at=sent_at(it.message.id),
                direct=it.direct,
                mentions_bot=it.mentions_bot,
                mentions_others=it.mentions_others,
            )
        )
        if not addressed:
            self._adapter.pictures.left_alone(thread)
            return None
        text = it.text
        if parse(text) is None:
            await self._ask(it, thread, late=late)
        return text

    async def _ask(self, it: DiscordMessage, thread: ThreadKey, *, late: bool) -> None:
        author = await self._member(it) if late else it.author
        if not self._core.allows(thread, author):
            if not late and (it.mentions_bot or it.direct):
                self._tell(it, "not_allowed")
            return
        if it.key in self._deleted:
            return
        message = replace(self._incoming(it, thread), author=author)
        try:
            self._core.ask(message, self.exchange(message))
        except UserFacingError as refusal:
            self._tell(it, refusal.key, **refusal.values)

    async def _member(self, it: DiscordMessage) -> Author:
        """Who said something that was found in the history, which does not tell their roles."""
        guild, user = it.message.guild, it.message.author
        if guild is None or isinstance(user, discord.Member):
            return it.author
        try:
            return author_of(
                await write(
                    guild.fetch_member(user.id), timeout_s=self._adapter.connection.timeout_s
                )
            )
        except (DiscordRefused, TryLater) as exc:
            log.info("a member could not be looked up: %s", exc)
            return it.author

    def _incoming(self, it: DiscordMessage, thread: ThreadKey) -> IncomingMessage:
        edited_at = it.message.edited_at
        locale = locale_of(it.text, it.message.guild)
        text, pictures = it.text, self._pictures(it)
        if not pictures and (it.direct or it.mentions_bot) and (emoji := emoji_of(it.unmentioned)):
            text, pictures = "", emoji
        polls = [poll_of(told, locale) for told in (self._target(it), it.message) if told]
        return IncomingMessage(
            key=it.key,
            thread=thread,
            author=it.author,
            text="\n\n".join(filter(None, (text, *polls))),
            attachments=pictures or self._just_shown(it),
            locale=locale,
            sent_at=sent_at(it.message.id),
            edited_at=0 if edited_at is None else edited_at.timestamp(),
            context=Origin().to_context(),
        )

    def _pictures(self, it: DiscordMessage) -> tuple[Attachment, ...]:
        """Those of the message that is replied to, and its own."""
        return (*self._replied_to(it), *self._adapter.pictures.of_message(it.message))

    def _replied_to(self, it: DiscordMessage) -> tuple[Attachment, ...]:
        """The pictures of the message that is replied to; to be looked up where it is not told."""
        if it.reply_to is None or it.message.reference is None:
            return ()
        target = self._target(it)
        if target is not None:
            found = self._adapter.pictures.of_target(target)
            return tuple(replace(picture, earlier=True) for picture in found)
        is_gone = it.message.reference.resolved is not None
        return () if is_gone else (attachment_of(*it.reply_to),)

    def _target(self, it: DiscordMessage) -> discord.Message | None:
        """The message that is replied to, where Discord tells it."""
        reference = it.message.reference
        resolved = None if it.reply_to is None or reference is None else reference.resolved
        return resolved if isinstance(resolved, discord.Message) else None

    def _just_shown(self, it: DiscordMessage) -> tuple[Attachment, ...]:
        """What the same person has shown, or forwarded, in the channel a moment before: Discord
        sends a forward and the words to it as two messages."""
        at, pictures = self._shown.get((it.place.id, it.message.author.id), (0.0, ()))
        said_at = sent_at(it.message.id)
        return pictures if it.begins_thread and at <= said_at <= at + SHOWN_BEFORE_S else ()

    def _note_pictures(self, it: DiscordMessage) -> None:
        pictures = self._adapter.pictures.of_message(it.message)
        if it.begins_thread and pictures:
            place = (it.place.id, it.message.author.id)
            self._shown[place] = (sent_at(it.message.id), pictures)

    # -- edits and deletions ------------------------------------------------------------------

    async def on_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """See `GatewayListener`."""
        await self.revised(payload.message)

    async def revised(self, message: discord.Message) -> None:
        """The author has changed a message; or Discord has, which leaves the time as it was."""
        if not self.intake:
            return
        it = await self.said(message)
        if it is None:
            self._shown_by_somebody(message)
            return
        if message.edited_at is None or not self._is_new_edit(it, message.edited_at.timestamp()):
            return
        if not (it.direct or it.mentions_bot or self._adapter.connection.sees_all_messages):
            return  # Discord does not tell what it says now
        thread = await self._thread(it)
        is_question = False
        try:
            async with self._locks.of(thread):
                is_question = await self._core.latest(it.key) is not None
                if is_question:
                    changed = self._incoming(it, thread)
                    await self._core.revise(changed, self.exchange(changed))
        except UserFacingError as refusal:
            if is_question or it.mentions_bot:
                self._tell(it, refusal.key, **refusal.values)
            return
        if not is_question and it.mentions_bot:
            # The mention was forgotten at first: now it is a question.
            await self.heard(it)

    def _is_new_edit(self, it: DiscordMessage, edited_at: float) -> bool:
        if self._edits.get(it.key) == edited_at or edited_at < time.time() - EDIT_IS_NEW_S:
            return False
        self._edits[it.key] = edited_at
        return True

    async def on_delete(self, guild: str, channel: str, messages: set[int]) -> None:
        """Questions were deleted: stop them, erase them, delete their answers."""
        for message in sorted(messages):
            key = message_key(guild, channel, str(message))
            self._deleted[key] = None
            latest = await self._core.latest(key)
            if latest is not None:
                await self.forget(latest)

    async def forget(self, question: IncomingMessage) -> None:
        """A question is no longer there."""
        await self._erasure.stop(question.key)
        replies = await self._adapter.store.replies.messages_of(question.thread, question.key)
        await self._erasure.question(question.key)
        for reply in replies:
            try:
                await remove(self._adapter.connection, *place_of(reply))
            except TryLater as exc:
                log.info("an answer stays: %s", exc)

    async def on_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """A thread was deleted with all that is in it: it is forgotten."""
        thread = thread_key(str(payload.guild_id), str(payload.parent_id), str(payload.thread_id))
        await self._erasure.thread(thread)

    # -- words to the bot ---------------------------------------------------------------------

    async def _run(self, command: Command, it: DiscordMessage, thread: ThreadKey) -> None:
        if not self._core.allows(thread, it.author):
            self._tell(it, "not_allowed")
            return
        in_thread = not it.begins_thread or thread.thread != it.key.message
        sentence = await self.sentence_for(
            command,
            thread=thread if in_thread else None,
            guild=it.guild,
            user=it.message.author,
            locale=await self._locale(it),
            is_admin=may_manage(it.place, it.message.author),
        )
        await self._adapter.notifier.reply(it, sentence)

    async def sentence_for(
        self,
        command: Command,
        *,
        thread: ThreadKey | None,
        guild: str,
        user: discord.User | discord.Member,
        locale: str,
        is_admin: bool,
    ) -> str:
        """Run a command, said in words or chosen. Returns: what was done."""
        if command in IN_THREADS and thread is None:
            return say(locale, "discord_in_which_thread", command=command.value)
        author = author_of(user)
        if command is Command.FORGET_ME:
            self._adapter.locales.forget(author.id)
        return await self._commands.run(
            command,
            platform=PLATFORM,
            team=guild,
            thread=thread,
            author=author,
            locale=locale,
            is_admin=is_admin,
            one_person_everywhere=True,
        )

    async def _locale(self, it: DiscordMessage) -> str:
        written_in = locale_of(it.text, it.message.guild)
        return await self._adapter.locales.of(it.author.id, written_in)

    def _tell(self, it: DiscordMessage, sentence: str, **values: Any) -> None:
        """Say it; nobody waits for that."""

        async def tell() -> None:
            said = say(await self._locale(it), sentence, **values)
            await self._adapter.notifier.reply(it, said)

        self._adapter.in_background(tell())
