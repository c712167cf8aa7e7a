"""The messages that hold one reply, written by edits.

There is one message per part, and the store remembers it before anything more is written to it,
so that a restart, an edit and *Ask again* continue in the same messages.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import discord
from discord import ui

from bot.platforms.discord.api import (
    ARCHIVED,
    NO_REPLY,
    OLD_MESSAGE_EDITS,
    UNKNOWN_MESSAGE,
    DiscordRefused,
    read,
    write,
)
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import sent_at
from bot.platforms.discord.replies import layout
from bot.platforms.discord.replies.destinations import Destination
from bot.platforms.discord.replies.writing import edit, post, remove
from bot.store import Replies, StoreFailed
from bot.values.messages import IncomingMessage, MessageKey, TextFile, ThreadKey, TryLater

log = logging.getLogger(__name__)

OLD_S = 50 * 60
"""Discord limits edits of messages older than an hour: such a one gets only its final text."""
WORTH_WAITING_S = 15
"""For an edit of an old message; if it is put off for longer, the message is posted again."""
ADOPTED_FROM = 1000
"""So many messages after a question are looked through for one of its reply."""


def reply_id(channel: int, message: int) -> str:
    """A message of the bot's, as the store keeps it."""
    return f"{channel}/{message}"


def ids_of(reply: str) -> tuple[int, int]:
    """(channel, message) of a reply's id."""
    channel, _, message = reply.partition("/")
    return int(channel), int(message)


class EditPacer:
    """Paces edits: the replies in one channel share its rate limit."""

    def __init__(self, pace_s: float) -> None:
        """`pace_s`: seconds between two edits while a channel has one reply in progress."""
        self._pace_s = pace_s
        self._running: Counter[int] = Counter()

    def begin(self, channel: int) -> None:
        """A reply is being written there from now on."""
        self._running[channel] += 1

    def end(self, channel: int) -> None:
        """It has ended."""
        self._running[channel] -= 1
        if self._running[channel] <= 0:
            del self._running[channel]

    def pace_s(self, channel: int) -> float:
        """Seconds between two edits of one reply."""
        return self._pace_s * max(1, self._running[channel])


@dataclass(slots=True)
class Part:
    """One message of the reply."""

    channel: int
    message: int
    text: str = field(repr=False)
    """What it is to hold."""
    sent: str | None = field(default=None, repr=False)
    """What it holds; `None`: not known for sure."""
    has_buttons: bool | None = None

    @property
    def is_old(self) -> bool:
        """Whether it takes few edits."""
        return time.time() - sent_at(self.message) > OLD_S


class Parts:
    """A reply's messages. Lives as long as the exchange."""

    def __init__(
        self, message: IncomingMessage, *, connection: Connection, replies: Replies, unsure: bool
    ) -> None:
        """`unsure`: a message may have been made that the store does not know."""
        self._thread: ThreadKey = message.thread
        self._key: MessageKey = message.key
        self._connection = connection
        self._replies = replies
        self._unsure = unsure
        self._held: dict[int, Part] = {}
        self._is_loaded = False
        self._made_again = 0
        self._texts: list[str] = []

    @property
    def shown(self) -> int:
        """Parts that hold text of this run."""
        return len(self._texts)

    @property
    def last_text(self) -> str:
        """The answer's text in the last part that was shown, without what stands under it."""
        return self._texts[-1] if self._texts else ""

    async def load(self) -> Part | None:
        """Look up what an earlier run or an earlier version has made. Returns: the first part."""
        if not self._is_loaded:
            known = await self._replies.of_question(self._thread, self._key)
            self._held = {number: Part(*ids_of(reply), text="") for number, reply in known.items()}
            self._is_loaded = True
        return self._held.get(0)

    # -- while it grows -----------------------------------------------------------------------

    async def show(
        self, destination: Destination, number: int, text: str, buttons: ui.View
    ) -> None:
        """Make or change a part. Raises: TryLater, DiscordRefused."""
        part = self._held.get(number)
        if part is None:
            if number:
                await self._settle(destination, number - 1)
            await self._make(destination, number, text, buttons)
        else:
            part.text = text
            if not part.is_old:
                await self._edit(destination, number, part, text, buttons)
        self._texts[number:] = [text]

    async def wait(self, destination: Destination, sentence: str, buttons: ui.View) -> None:
        """Show what is waited for, in the message that will become the answer."""
        part = self._held.get(0)
        if part is None:
            await self._make(destination, 0, sentence, buttons, urgent=False)
        elif not part.is_old:
            await self._edit(destination, 0, part, sentence, buttons, urgent=False)

    async def _settle(self, destination: Destination, number: int) -> None:
        """Take the buttons off a part that will not grow any more."""
        part = self._held[number]
        if part.has_buttons is not False or part.sent != part.text:
            await self._edit(destination, number, part, part.text, None)

    async def _make(
        self,
        destination: Destination,
        number: int,
        text: str,
        buttons: ui.View | None,
        *,
        urgent: bool = True,
    ) -> None:
        if self._unsure:
            self._unsure = False
            if await self._adopt(destination, number):
                await self._edit(destination, number, self._held[number], text, buttons)
                return
        try:
            made = await self._posted(destination, number, text, buttons, urgent=urgent)
        except DiscordRefused as exc:
            if exc.code in NO_REPLY and destination.reply_to is not None:
                destination = replace(destination, reply_to=None)
            elif exc.code != ARCHIVED or not await self._unarchive(destination.channel):
                raise
            made = await self._posted(destination, number, text, buttons, urgent=urgent)
        # The nonce may have returned the message of a broken call, with another text.
        sent = text if made.content.strip() == text.strip() else None
        part = Part(destination.channel, made.id, text, sent, buttons is not None)
        await self._keep(number, part)
        if sent is None:
            await self._edit(destination, number, part, text, buttons)

    async def _posted(
        self,
        destination: Destination,
        number: int,
        text: str,
        buttons: ui.View | None,
        *,
        urgent: bool,
    ) -> discord.Message:
        return await post(
            self._connection,
            destination.channel,
            text,
            buttons=buttons,
            reply_to=None if number else destination.reply_to,
            nonce=self._nonce(number),
            urgent=urgent,
        )

    def _nonce(self, number: int | str) -> str:
        """The same for each attempt at one message: Discord makes it once."""
        key = self._key
        about = f"{key.channel}/{key.message}/{number}/{self._made_again}"
        return hashlib.blake2b(about.encode(), digest_size=12).hexdigest()

    async def _keep(self, number: int, part: Part) -> None:
        self._held[number] = part
        await self._replies.remember_part(
            self._thread, self._key, number, reply_id(part.channel, part.message)
        )

    async def _adopt(self, destination: Destination, number: int) -> bool:
        """Find a message that a crashed run posted for this reply and did not remember.

        Its buttons name the question that they belong to. That run may have found no thread where
        there is one now, or the other way round.
        """
        known = {reply_id(part.channel, part.message) for part in self._held.values()}
        # If the store fails, the buttons alone tell.
        with contextlib.suppress(StoreFailed):
            known |= await self._replies.of_thread(self._thread)
        places = {destination.channel: None, int(self._key.channel): None}
        if self._thread.team:
            places[int(self._thread.thread)] = None
        for place in places:
            for message in await self._own_messages(place, destination):
                is_new = reply_id(place, message.id) not in known
                about = layout.question_of(message)
                if is_new and about == (self._key.channel, self._key.message):
                    part = Part(place, message.id, message.content, message.content, True)
                    await self._keep(number, part)
                    return True
        return False

    async def _own_messages(self, place: int, destination: Destination) -> list[discord.Message]:
        """The bot's messages in a channel or a thread that are newer than the question."""
        channel = await self._connection.partial_channel(place)
        asked = discord.Object(int(self._key.message))

        async def found() -> list[discord.Message]:
            return [message async for message in channel.history(limit=ADOPTED_FROM, after=asked)]

        try:
            messages = await read(found, timeout_s=self._connection.timeout_s)
        except DiscordRefused:
            if place == destination.channel:
                raise
            return []  # there is no such thread
        return [it for it in messages if it.author.id == self._connection.bot_user]

    async def _edit(
        self,
        destination: Destination,
        number: int,
        part: Part,
        text: str,
        buttons: ui.View | None,
        *,
        urgent: bool = True,
    ) -> None:
        """Edit a message; if it can no longer be edited, post it again."""
        if part.sent == text and part.has_buttons is (buttons is not None):
            return
        part.text = text
        try:
            await self._edited(part, buttons, urgent=urgent)
        except TryLater as later:
            if not part.is_old or later.after_s < WORTH_WAITING_S:
                raise
            await self._make_again(destination, number, part, text, buttons)
        except DiscordRefused as exc:
            if exc.code == ARCHIVED and await self._unarchive(part.channel):
                await self._edited(part, buttons, urgent=urgent)
            elif exc.code in {UNKNOWN_MESSAGE, OLD_MESSAGE_EDITS, ARCHIVED}:
                await self._make_again(destination, number, part, text, buttons)
            else:
                raise

    async def _edited(self, part: Part, buttons: ui.View | None, *, urgent: bool) -> None:
        part.sent = None
        await edit(
            self._connection,
            part.channel,
            part.message,
            part.text,
            buttons=buttons,
            urgent=urgent,
        )
        part.sent, part.has_buttons = part.text, buttons is not None

    async def _make_again(
        self, destination: Destination, number: int, part: Part, text: str, buttons: ui.View | None
    ) -> None:
        self._made_again += 1
        await self._make(destination, number, text, buttons)
        await remove(self._connection, part.channel, part.message)

    async def _unarchive(self, channel: int) -> bool:
        """Reopen an archived thread. False: it is locked, or the bot may not."""
        thread = await self._connection.channel(channel)
        if not isinstance(thread, discord.Thread):
            return False
        try:
            await write(thread.edit(archived=False), timeout_s=self._connection.timeout_s)
        except DiscordRefused as exc:
            log.info("a thread stays archived: %s", exc)
            return False
        return True

    # -- the end ------------------------------------------------------------------------------

    async def finish(self, destination: Destination, text: str, buttons: ui.View) -> None:
        """Give the last part its final text and buttons; remove what is beyond."""
        last = max(self.shown - 1, 0)
        for number in range(last):
            await self._settle(destination, number)
        part = self._held.get(last)
        if part is None:
            await self._make(destination, last, text, buttons)
        else:
            part.has_buttons = None  # an unfinished answer has others
            await self._edit(destination, last, part, text, buttons)
        await self._remove(after=last)

    async def attach(self, destination: Destination, file: TextFile, revision: int) -> None:
        """Post a file in a message of its own, in place of one that is there.

        `revision`: of the question that it answers.

        Raises: TryLater, DiscordRefused.
        """
        await self.detach()
        made = await post(
            self._connection,
            destination.channel,
            "",
            file=file,
            nonce=self._nonce(f"file/{revision}"),
        )
        await self._replies.remember_file(
            self._thread, self._key, reply_id(destination.channel, made.id)
        )

    async def detach(self) -> None:
        """Delete the file of an earlier answer, if there is one. Raises: TryLater."""
        earlier = await self._replies.file_of(self._thread, self._key)
        if earlier is not None:
            await remove(self._connection, *ids_of(earlier))
            await self._replies.forget_file(self._thread, self._key)
            self._made_again += 1

    async def leave(self, sentence: str) -> bool:
        """Replace the first message with the reason why there is no answer. False: it cannot be."""
        part = self._held.get(0)
        if part is None:
            return False
        part.text = sentence
        try:
            await self._edited(part, None, urgent=True)
        except (DiscordRefused, TryLater) as exc:
            log.info("a message stays as it is: %s", exc)
            return False
        return True

    async def _remove(self, *, after: int) -> None:
        """An earlier answer may have been longer.

        A version of the question that was stopped meanwhile may have made parts since `load`.
        """
        known = await self._replies.of_question(self._thread, self._key)
        for number, reply in known.items():
            if number > after and number not in self._held:
                self._held[number] = Part(*ids_of(reply), text="")
        surplus = {number: part for number, part in self._held.items() if number > after}
        for number, part in surplus.items():
            await remove(self._connection, part.channel, part.message)
            del self._held[number]
        if surplus:
            await self._replies.forget_parts(self._thread, self._key, from_part=after + 1)
