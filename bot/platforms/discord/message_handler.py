"""From the gateway's events to intake: whose they are, in which thread, which edits are new."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import discord
from cachetools import LRUCache

from bot.core.addressing import Addressing
from bot.core.commands import IN_THREADS, Command, Commands
from bot.core.erasure import Erasure
from bot.platforms.chat.intake import Intake, NotTaken
from bot.platforms.chat.removals import Removals
from bot.platforms.discord.events import (
    PLATFORM,
    DiscordMessage,
    MessageChannel,
    author_of,
    is_from_a_person,
    locale_of,
    message_key,
    reply_to_of,
    thread_at,
    thread_key,
)
from bot.platforms.discord.permissions import may_manage
from bot.platforms.discord.questions import QuestionBuilder
from bot.platforms.discord.replies.context import AdapterContext
from bot.platforms.discord.replies.exchange import DiscordExchange
from bot.platforms.discord.replies.parts import ids_of, reply_id
from bot.platforms.discord.replies.writing import remove
from bot.platforms.platform import Core
from bot.store import StoreFailed
from bot.texts import say
from bot.values.messages import Author, IncomingMessage, MessageKey, ThreadKey, TryLater

log = logging.getLogger(__name__)

MAX_EDITS = 10_000
EDIT_IS_NEW_S = 15 * 60
"""Discord reports an old edit again when it changes something itself: a pin, a preview."""


class MessageHandler:
    """Handles messages, edits and deletions. Lives as long as the adapter.

    Implements `bot.platforms.discord.connection.GatewayListener` and
    `bot.platforms.chat.intake.IntakeHooks`.
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
        backfill_channel: Callable[[int], Awaitable[None]],
    ) -> None:
        """
        `catch_up`: finds what was sent before a shard's new session.
        `backfill_channel`: finds what was sent in one channel or thread.
        """
        self._core = core
        self._commands = commands
        self._erasure = erasure
        self._adapter = adapter
        self._catch_up = catch_up
        self._backfill_channel = backfill_channel
        self._questions = QuestionBuilder(adapter.connection, adapter.pictures)
        self._started_at = time.time()
        self._edits: LRUCache[MessageKey, float] = LRUCache(MAX_EDITS)
        self.removals = Removals(PLATFORM, store=adapter.store, remove=self._remove)
        self.intake: Intake[DiscordMessage] = Intake(
            core=core,
            addressing=addressing,
            erasure=erasure,
            replies=adapter.store.replies,
            removals=self.removals,
            hooks=self,
            in_background=adapter.in_background,
        )

    # -- sessions -----------------------------------------------------------------------------

    async def on_shard_ready(self, shard: int) -> None:
        """See `GatewayListener`."""
        if self.intake.is_open:
            await self._catch_up(shard)

    async def on_unparsed(self, channel: int) -> None:
        """See `GatewayListener`."""
        if self.intake.is_open:
            await self._backfill_channel(channel)

    # -- messages -----------------------------------------------------------------------------

    async def on_message(self, event: discord.Message) -> None:
        """See `GatewayListener`."""
        if not self.intake.is_open:
            return
        message = await self.from_person(event)
        if message is not None:
            await self.handle(message)
        else:
            self._note_unread(event)

    async def handle(self, message: DiscordMessage, *, from_history: bool = False) -> None:
        """A message of a person, as `Intake.on_message`."""
        if not self._is_readable(message):
            return
        starts_here = message.begins_thread and message.thread.thread == message.key.message
        if starts_here and not message.is_addressed:
            self._questions.remember_shown(message)
            return  # the channel's own talk
        try:
            handled = await self.intake.on_message(message, from_history=from_history)
        except NotTaken:
            return  # the next start's backfill finds it
        if not handled.is_addressed:
            self._adapter.pictures.earlier.mark_unread(message.thread)

    def _is_readable(self, message: DiscordMessage) -> bool:
        """Without the intent, Discord sends the content of what is addressed to the bot alone."""
        return message.is_addressed or self._adapter.connection.sees_all_messages

    def _note_unread(self, event: discord.Message) -> None:
        """No question, but its pictures may be what the next one is about."""
        is_own = event.author.id == self._adapter.connection.bot_user
        if is_own or not isinstance(event.channel, discord.Thread):
            return
        if self._adapter.pictures.of_message(event):
            self._adapter.pictures.earlier.mark_unread(thread_at(event.channel, str(event.id)))

    async def from_person(self, event: discord.Message) -> DiscordMessage | None:
        """A message of a person in a channel that the bot knows; else `None`."""
        if not is_from_a_person(event):
            return None
        channel: Any = event.channel
        if isinstance(channel, discord.PartialMessageable) and event.guild is not None:
            # A thread from the archive.
            channel = await self._adapter.connection.channel(channel.id)
            if channel is None:
                return None
            if isinstance(channel, discord.PartialMessageable):
                channel = event.channel  # nothing is known of it but its server
        return DiscordMessage(
            event=event,
            channel=channel,
            bot_user=self._adapter.connection.bot_user,
            thread=await self._thread_of(event, channel),
        )

    async def _thread_of(self, event: discord.Message, channel: MessageChannel) -> ThreadKey:
        """In a channel, a reply to an answer goes on in that answer's thread."""
        thread = thread_at(channel, str(event.id))
        reply_to = reply_to_of(event)
        if reply_to is None or thread.thread != str(event.id):
            return thread
        reply = reply_id(int(reply_to[0]), int(reply_to[1]))
        # Where the store cannot be read, it begins a thread of its own.
        with contextlib.suppress(StoreFailed):
            return await self._adapter.store.replies.thread_of(PLATFORM, reply) or thread
        return thread

    # -- what intake asks of a chat -----------------------------------------------------------

    async def author_of(self, message: DiscordMessage) -> Author:
        """See `IntakeHooks`."""
        return await self._questions.author_of(message)

    async def question_of(self, message: DiscordMessage, author: Author) -> IncomingMessage:
        """See `IntakeHooks`."""
        return self._questions.build(message, author)

    def exchange(self, question: IncomingMessage) -> DiscordExchange:
        """See `IntakeHooks`. An earlier run may have told why it could not take the question."""
        begun = question.sent_at < self._started_at
        return DiscordExchange(self._adapter, question, begun=begun)

    async def run_command(self, command: Command, message: DiscordMessage) -> None:
        """See `IntakeHooks`."""
        in_thread = not message.begins_thread or message.thread.thread != message.key.message
        sentence = await self.sentence_for(
            command,
            thread=message.thread if in_thread else None,
            guild=message.guild,
            user=message.event.author,
            locale=await self._locale(message),
            is_admin=may_manage(message.channel, message.event.author),
        )
        await self._adapter.notifier.reply(message, sentence)

    async def tell(self, message: DiscordMessage, sentence: str, **values: Any) -> None:
        """See `IntakeHooks`."""
        text = say(await self._locale(message), sentence, **values)
        await self._adapter.notifier.reply(message, text)

    async def _locale(self, message: DiscordMessage) -> str:
        written_in = locale_of(message.text, message.event.guild)
        return await self._adapter.locales.of(message.author.id, written_in)

    # -- edits and deletions ------------------------------------------------------------------

    async def on_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """See `GatewayListener`."""
        await self.handle_edit(payload.message)

    async def handle_edit(self, event: discord.Message) -> None:
        """The author has changed a message; or Discord has, which leaves the time as it was."""
        if not self.intake.is_open:
            return
        message = await self.from_person(event)
        if message is None:
            self._note_unread(event)
            return
        if event.edited_at is None or not self._is_new(message, event.edited_at.timestamp()):
            return
        if not self._is_readable(message):
            return
        with contextlib.suppress(NotTaken):  # then the next start's backfill finds it
            if await self.intake.on_edit(message):
                await self.handle(message)

    def _is_new(self, message: DiscordMessage, edited_at: float) -> bool:
        if self._edits.get(message.key) == edited_at or edited_at < time.time() - EDIT_IS_NEW_S:
            return False
        self._edits[message.key] = edited_at
        return True

    async def on_delete(self, guild: str, channel: str, messages: set[int]) -> None:
        """See `GatewayListener`."""
        for message in sorted(messages):
            key = message_key(guild, channel, str(message))
            await self.removals.run(key, await self.intake.on_delete(key))

    async def forget(self, question: IncomingMessage) -> None:
        """A question is no longer there: erase it, and delete its answer."""
        await self.removals.run(question.key, await self.intake.forget(question))

    async def _remove(self, _key: MessageKey, reply: str) -> bool:
        try:
            await remove(self._adapter.connection, *ids_of(reply))
        except TryLater as exc:
            log.info("an answer stays for now: %s", exc)
            return False
        return True

    async def on_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """See `GatewayListener`."""
        thread = thread_key(str(payload.guild_id), str(payload.parent_id), str(payload.thread_id))
        await self._erasure.thread(thread)

    # -- commands -----------------------------------------------------------------------------

    async def sentence_for(
        self,
        command: Command,
        *,
        thread: ThreadKey | None,
        guild: str,
        user: discord.User | discord.Member,
        locale: str,
        is_admin: bool,
        channel: str = "",
        argument: str = "",
    ) -> str:
        """Run a command, written or chosen; see `Commands.run`. Returns: what was done."""
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
            is_admin=is_admin or self._core.access.is_admin(PLATFORM, author.id),
            one_person_everywhere=True,
            channel=channel,
            argument=argument,
        )
