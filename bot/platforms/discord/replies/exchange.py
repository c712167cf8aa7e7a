"""One question and its reply in Discord."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import discord

from bot.platforms.chat.presets import offers_presets
from bot.platforms.chat.waiting import patiently, waiting_sentence
from bot.platforms.discord.api import (
    FORBIDDEN,
    GONE,
    LOCKED,
    DiscordRefused,
    write,
)
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.origin import AskedBy, Origin, with_context
from bot.platforms.discord.replies import layout
from bot.platforms.discord.replies.context import AdapterContext
from bot.platforms.discord.replies.destinations import Destination
from bot.platforms.discord.replies.markdown import discord_markdown
from bot.platforms.discord.replies.parts import Parts
from bot.texts import say
from bot.values.messages import (
    Attachment,
    Ending,
    IncomingMessage,
    Outcome,
    ReplyLimits,
    Stage,
    Status,
    TextFile,
    TryLater,
)

log = logging.getLogger(__name__)

FIRST_PACE_S = 0.2
REFUSAL_PACE_S = 2.0
"""Each makes a thread and a message."""
"""Until there is a message: the first word must not wait behind the typing indicator."""
TYPING_S = 8
"""Discord shows the typing indicator for about ten seconds."""


class DiscordExchange:
    """Implements `bot.values.messages.Exchange`."""

    def __init__(
        self, adapter: AdapterContext, message: IncomingMessage, *, begun: bool = False
    ) -> None:
        """`begun`: an earlier run may have written to Discord without having remembered it."""
        self._adapter = adapter
        self._message = message = with_context(message)
        self._asked_by = Origin.of(message).asked_by
        self._begun = begun
        self._revision = message.revision
        self._has_file = False
        self._locale = message.locale
        self._parts = Parts(
            message,
            connection=adapter.connection,
            replies=adapter.store.replies,
            unsure=begun,
        )
        self._destination: Destination | None = None
        self._fetched: dict[str, bytes] = {}
        """Pictures of a command by ref: fetched when they were shown in the channel."""
        self._finding = asyncio.Lock()
        self._typing: asyncio.Task[None] | None = None
        self._typing_in = 0
        self._paced = 0
        self._has_message = False
        self._cannot: DiscordRefused | None = None
        self._notes: list[str] | None = None

    @property
    def limits(self) -> ReplyLimits:
        """Discord's: characters a message, and edits shared by the replies of a channel."""
        pace_s = FIRST_PACE_S
        if self._has_message:
            pace_s = self._adapter.pacer.pace_s(self._paced)
        return ReplyLimits(
            max_length=layout.MAX_LENGTH,
            measure=layout.length,
            render=discord_markdown,
            pace_s=pace_s,
            refusal_pace_s=REFUSAL_PACE_S,
        )

    # -- the question -------------------------------------------------------------------------

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """Add the user's language and the pictures, and post a notice of what nobody else saw."""
        message = with_context(message)
        self._revision = message.revision
        if self._begun:
            await self._make_sure_it_is_there()
        self._locale = await self._adapter.locales.of(message.author.id, message.locale)
        message = replace(message, locale=self._locale)
        if not message.again:
            message = await self._adapter.pictures.find(message)
        if self._asked_by is not AskedBy.MESSAGE:
            await patiently(self._say_what_was_asked)
        return message

    async def _make_sure_it_is_there(self) -> None:
        """Taken up again after a restart, a question may have been deleted meanwhile."""
        key = self._message.key
        if self._asked_by is not AskedBy.MESSAGE:
            return
        connection = self._adapter.connection
        try:
            channel = await connection.partial_channel(key.channel)
            await write(channel.fetch_message(int(key.message)), timeout_s=connection.timeout_s)
        except TryLater:
            return  # then it is answered
        except DiscordRefused as exc:
            if exc.code in GONE:
                # It ends this work, too, and waits for that.
                await asyncio.shield(
                    self._adapter.in_background(self._adapter.forget(self._message))
                )

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """See `Exchange.open`."""
        if attachment.ref in self._fetched:
            yield self._fetched[attachment.ref]
            return
        async for piece in self._adapter.pictures.open(attachment):
            yield piece

    async def _say_what_was_asked(self) -> None:
        try:
            destination = await self._find_destination()
            if self._asked_by is AskedBy.MODAL:
                await self._adapter.notices.in_thread(
                    replace(self._message, locale=self._locale), destination.channel
                )
        except DiscordRefused as exc:
            self._refused(exc)

    # -- the reply ----------------------------------------------------------------------------

    async def status(self, status: Status) -> None:
        """Show typing at once, and a message once it is the question's turn."""
        if self._parts.shown or status.stage is Stage.ANSWERING or self._cannot:
            return
        if self._typing is None:
            self._type_in(int(self._message.key.channel))
        try:
            first = await self._parts.load()
            destination = await self._find_destination()
            if first is None and destination.channel != int(self._message.key.channel):
                self._type_in(destination.channel)
            if first is not None or status != Status(Stage.QUEUED):
                # A question that waits for the one before it makes no message yet: the answers
                # of a thread stand in the order of its questions.
                sentence = layout.small(waiting_sentence(status, self._locale))
                buttons = layout.running_buttons(self._message.key, self._locale)
                await self._parts.wait(destination, sentence, buttons)
                self._has_message = True
        except DiscordRefused as exc:
            self._refused(exc)

    async def show(self, part: int, text: str) -> None:
        """See `Exchange.show`."""
        if self._cannot:
            return  # `end` says so, if it can
        try:
            await self._parts.load()
            buttons = layout.running_buttons(self._message.key, self._locale)
            await self._parts.show(
                await self._find_destination(), part, layout.closed(text), buttons
            )
            self._has_message = True
        except DiscordRefused as exc:
            self._refused(exc)

    async def attach(self, file: TextFile) -> bool:
        """See `Exchange.attach`."""
        if self._cannot:
            return False
        try:
            await self._parts.attach(await self._find_destination(), file, self._revision)
        except DiscordRefused as exc:
            log.warning("a file was not posted: %s", exc)
            return False
        self._has_file = True
        return True

    async def end(self, ending: Ending) -> None:
        """The last text, the receipt, and what can be done next."""
        if self._cannot is None:
            try:
                await self._parts.load()
                destination = await self._find_destination()
                if (self._begun or self._revision) and not self._has_file:
                    await self._parts.detach()
                receipt = [
                    *layout.receipt_lines(ending.receipt, self._locale),
                    *self._note(destination),
                ]
                text = layout.final(self._last_text(ending), receipt)
                offered: Sequence[str] = ()
                if self._asked_by is AskedBy.MESSAGE and offers_presets(self._message, ending):
                    place = self._message.thread.place
                    offered = await self._adapter.preset_names(self._locale, place)
                buttons = layout.final_buttons(self._message.key, self._locale, offered)
                await self._parts.finish(destination, text, buttons)
            except DiscordRefused as exc:
                self._refused(exc)
        self._stop_typing()
        if self._cannot is not None:
            await self._say_why_not(self._cannot)

    async def _say_why_not(self, refusal: DiscordRefused) -> None:
        notifier, message = self._adapter.notifier, self._message
        sentence = await notifier.why_not(message, self._destination, refusal, self._locale)
        if await self._adapter.notices.instead(message, sentence) or refusal.code in GONE:
            return  # the channel or the question was deleted: no answer is wanted
        may_write = refusal.status != FORBIDDEN and refusal.code not in LOCKED
        if not (may_write and await self._parts.leave(sentence)):
            await notifier.instead(message, self._destination, sentence, may_write=may_write)

    def _refused(self, exc: DiscordRefused) -> None:
        """Discord refuses the reply: each further attempt would count against the bot."""
        log.info("an answer cannot be written: %s", exc)
        self._cannot = exc.with_traceback(None)

    def _last_text(self, ending: Ending) -> str:
        shown = self._parts.last_text
        if ending.outcome is Outcome.REFUSED:
            return f"{shown}\n\n{ending.text}".strip()
        return shown or ending.text

    def _note(self, destination: Destination) -> list[str]:
        """What the user should know about the destination; the same at each attempt."""
        guild, informed = self._message.thread.team, self._adapter.needs_mention_told
        if self._notes is None:
            self._notes = list(destination.notes)
            if guild and guild not in informed and not self._adapter.connection.sees_all_messages:
                informed.add(guild)
                self._notes.append(say(self._locale, "discord_needs_mention"))
        return self._notes

    # -- destination --------------------------------------------------------------------------

    async def _find_destination(self) -> Destination:
        """Where the answer goes. Raises: TryLater, DiscordRefused."""
        async with self._finding:
            if self._destination is None:
                first = await self._parts.load()
                message = replace(self._message, locale=self._locale)
                if first is None:
                    self._fetched |= await self._adapter.notices.of_command(message)
                    self._destination = await self._adapter.destinations.of(message)
                else:
                    self._destination = Destination(first.channel)
                self._paced = self._destination.channel
                self._adapter.pacer.begin(self._paced)
                weakref.finalize(self, self._adapter.pacer.end, self._paced)
            return self._destination

    # -- typing -------------------------------------------------------------------------------

    @property
    def is_awaited(self) -> bool:
        """Whether nothing of the answer is shown yet."""
        return not self._parts.shown

    def _type_in(self, channel: int) -> None:
        if self._typing is None or self._typing_in != channel:
            self._stop_typing()
            self._typing_in = channel
            typing = _type(weakref.ref(self), self._adapter.connection, channel)
            self._typing = self._adapter.in_background(typing)

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.cancel()


async def _type(
    exchange: weakref.ref[DiscordExchange], connection: Connection, channel: int
) -> None:
    """Show that an answer is coming, until it comes or nobody waits for it any more."""
    while (awaited := exchange()) is not None and awaited.is_awaited:
        del awaited
        try:
            messageable = await connection.partial_channel(channel)
            async with connection.budget.call(urgent=False):
                await write(_once(messageable), timeout_s=connection.timeout_s)
        except DiscordRefused as exc:
            log.info("typing is not shown: %s", exc)
            return
        except TryLater as exc:
            log.info("typing is not shown: %s", exc)
        await asyncio.sleep(TYPING_S)


async def _once(channel: discord.PartialMessageable) -> None:
    await channel.typing()
