"""From Slack's message events to questions of the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.core.addressing import Addressing, MessageFacts
from bot.core.commands import Command, Commands
from bot.core.erasure import Erasure
from bot.errors import UserFacingError
from bot.platforms.chat.thread_locks import ThreadLocks
from bot.platforms.platform import Core
from bot.platforms.slack.api import SlackRefused, SlackUnreachable
from bot.platforms.slack.early_messages import EarlyMessages
from bot.platforms.slack.events import (
    PLATFORM,
    Event,
    SlackMessage,
    file_ids,
    is_own,
    message_key,
    read_message,
    thread_key,
)
from bot.platforms.slack.notifier import notify, notify_refusal
from bot.platforms.slack.origin import Origin
from bot.platforms.slack.replies.context import AdapterContext
from bot.platforms.slack.replies.exchange import SlackExchange
from bot.platforms.slack.shapes import is_ts, well_formed
from bot.platforms.slack.workspaces import Workspace
from bot.store import StoreFailed
from bot.values.messages import Author, IncomingMessage, TryLater

log = logging.getLogger(__name__)

READ_WITHIN_S = 3


class MessageHandler:
    """Turns messages into questions; `Addressing` decides which. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        core: Core,
        addressing: Addressing,
        commands: Commands,
        erasure: Erasure,
        adapter: AdapterContext,
        is_fresh: Callable[[], bool],
    ) -> None:
        """`is_fresh`: whether the bot connected to Slack just now."""
        self._core = core
        self._addressing = addressing
        self._commands = commands
        self._erasure = erasure
        self._adapter = adapter
        self._is_fresh = is_fresh
        self._locks = ThreadLocks()
        self._early = EarlyMessages()
        self.intake = True

    def exchange(self, message: IncomingMessage) -> SlackExchange:
        """For a question of this adapter's."""
        return SlackExchange(self._adapter, message)

    # -- messages -----------------------------------------------------------------------------

    async def on_event(self, workspace: Workspace, event: Event) -> None:
        """A message was sent, edited or deleted; or the bot was mentioned."""
        if not self.intake:
            return
        event = well_formed(event)
        changed = event.get("message") or {}
        match event.get("subtype"):
            case "message_deleted":
                await self._on_deletion(workspace, event, str(event.get("deleted_ts")))
            case "message_changed" if changed.get("subtype") == "tombstone":
                # How Slack deletes a message that has replies, as every question has.
                await self._on_deletion(workspace, event, str(changed.get("ts")))
            case "message_changed":
                channel = str(event.get("channel"))
                message = self.read(workspace, changed, channel)
                if message is None:
                    self._note_pictures(workspace, changed, channel)
                    return
                if message.attachments:
                    self._adapter.pictures.mark_unread(message.thread)
                await self._on_edit(workspace, message, event)
            case _:
                message = self.read(workspace, event)
                if message is not None:
                    await self.on_message(workspace, message)
                else:
                    self._note_pictures(workspace, event, str(event.get("channel")))

    def read(self, workspace: Workspace, event: Event, channel: str = "") -> SlackMessage | None:
        """See `read_message`."""
        return read_message(
            event,
            team=workspace.team,
            bot_user=workspace.bot_user,
            bot=workspace.bot,
            channel=channel,
            attachments_of=self._adapter.pictures.of_event,
        )

    def _note_pictures(self, workspace: Workspace, event: Event, channel: str) -> None:
        """No question, but the next one may be about its pictures."""
        if is_own(event, bot_user=workspace.bot_user, bot=workspace.bot):
            return
        if self._adapter.pictures.of_event(event):
            thread_ts = str(event.get("thread_ts") or event.get("ts"))
            self._adapter.pictures.mark_unread(thread_key(workspace.team, channel, thread_ts))

    async def on_message(
        self, workspace: Workspace, message: SlackMessage, *, from_history: bool = False
    ) -> None:
        """Handle one copy of a person's message.

        `from_history`: a backfill found it. Commands are not run then: they leave no claim, and
        what was erased before a restart must not be erased again after it.
        """
        copies = self._adapter.pictures.copies
        is_first = copies.note(message)
        if not message.is_reply and not message.is_addressed:
            return  # the channel's own talk
        if copies.is_deleted(message.key):
            return
        async with self._locks.of(message.thread):
            if not from_history and message.is_reply and self._is_fresh():
                for skipped in await self._fetch_skipped(workspace, message):
                    await self._handle(workspace, skipped, from_history=True)
            is_for_the_bot = await self._handle(workspace, message, from_history=from_history)
        if not is_for_the_bot:
            return
        if message.command is None:
            await self._replay_early(workspace, message)
        elif is_first and not from_history:
            await self._run(message.command, workspace, message)

    async def _handle(
        self, workspace: Workspace, message: SlackMessage, *, from_history: bool
    ) -> bool:
        """Ask, if it is a question. Returns: whether the message is for the bot."""
        is_for_the_bot = await self._addressing.is_for_the_bot(
            MessageFacts(
                thread=message.thread,
                sent_at=message.sent_at,
                direct=message.is_direct,
                mentions_bot=message.mentions_bot,
                mentions_others=message.mentions_others,
            )
        )
        if not is_for_the_bot:
            self._ignore(message)
        elif message.command is None:
            await self._ask(workspace, message, from_history=from_history)
        return is_for_the_bot

    def _ignore(self, message: SlackMessage) -> None:
        self._adapter.pictures.mark_unread(message.thread)
        self._early.keep(message)

    async def _ask(
        self, workspace: Workspace, message: SlackMessage, *, from_history: bool
    ) -> None:
        if not self._core.allows(message.thread, Author(id=message.user)):
            if message.is_addressed and not from_history:
                await self._refuse(workspace, message, UserFacingError("not_allowed"))
            return
        question = _question(message)
        try:
            self._core.ask(question, self.exchange(question))
        except UserFacingError as refusal:
            await self._refuse(workspace, message, refusal)

    async def _fetch_skipped(
        self, workspace: Workspace, message: SlackMessage
    ) -> list[SlackMessage]:
        """The thread's messages between its last question and this one, which did not arrive.

        After a reconnect, a message may come before one that the old connection has lost. Slack
        delivers the lost one again, seconds later; the thread itself has it already.
        """
        try:
            asked = await self._adapter.store.inbox.of_thread(message.thread)
        except StoreFailed:
            return []
        times = [float(ts) for ts in asked if is_ts(ts)]  # a modal's question has no ts
        last = max((sent_at for sent_at in times if sent_at < message.sent_at), default=None)
        if last is None:
            return []
        reading = workspace.api.read(
            "conversations.replies",
            channel=message.channel,
            ts=message.thread_ts,
            oldest=f"{last:.6f}",
            latest=message.ts,
        )
        try:
            page = await asyncio.wait_for(reading, READ_WITHIN_S)
        except (SlackRefused, SlackUnreachable, TimeoutError):
            return []  # then they are answered in the order they come
        found = (self.read(workspace, event, message.channel) for event in page["messages"])
        return [
            skipped
            for skipped in found
            if skipped is not None and last < skipped.sent_at < message.sent_at
        ]

    async def _replay_early(self, workspace: Workspace, question: SlackMessage) -> None:
        """Handle the follow-ups that came before their question."""
        for message in self._early.after(question):
            await self.on_message(workspace, message)

    # -- edits, deletions, Slack's stop button ------------------------------------------------

    async def _on_edit(self, workspace: Workspace, message: SlackMessage, event: Event) -> None:
        new, old = event.get("message") or {}, event.get("previous_message") or {}
        edited_ts = (new.get("edited") or {}).get("ts")
        # Slack also reports changes of its own: a link unfurled, a reply counted.
        unchanged = (new.get("text"), file_ids(new)) == (old.get("text"), file_ids(old))
        if unchanged or not edited_ts:
            return
        question = _question(message, edited_at=float(edited_ts))
        is_question = False
        try:
            async with self._locks.of(message.thread):
                is_question = await self._core.latest(message.key) is not None
                if is_question:
                    await self._core.revise(question, self.exchange(question))
        except UserFacingError as refusal:
            if is_question or message.mentions_bot:
                await self._refuse(workspace, message, refusal)
            return
        if not is_question and message.mentions_bot:
            # The edit adds the mention: now it is a question.
            await self.on_message(workspace, message)

    async def _on_deletion(self, workspace: Workspace, event: Event, ts: str) -> None:
        """A message was deleted: stop its question, erase it, delete its answer."""
        previous = event.get("previous_message") or {}
        channel = str(event.get("channel"))
        key = message_key(workspace.team, channel, ts)
        thread = thread_key(workspace.team, channel, str(previous.get("thread_ts") or ts))
        self._adapter.pictures.copies.delete(key)
        async with self._locks.of(thread):
            latest = await self._core.latest(key)
            if latest is None:
                return
            await self._erasure.stop(key)
            replies = await self._adapter.store.replies.messages_of(latest.thread, key)
            await self._erasure.question(key)
        for reply in replies:
            try:
                await workspace.api.patient_write("chat.delete", channel=channel, ts=reply)
            except (SlackRefused, TryLater) as exc:
                log.info("an answer could not be deleted: %s", exc)

    def on_stop(self, team: str, event: Event) -> None:
        """Somebody pressed Slack's own stop button."""
        thread = thread_key(team, str(event.get("channel")), str(event.get("thread_ts")))
        key = self._core.first_in_flight(thread)
        if key is not None:
            self._core.stop(key)

    # -- commands -----------------------------------------------------------------------------

    async def _run(self, command: Command, workspace: Workspace, message: SlackMessage) -> None:
        author = Author(id=message.user)
        if not self._core.allows(message.thread, author):
            await self._refuse(workspace, message, UserFacingError("not_allowed"))
            return
        person = await workspace.person(message.user)
        sentence = await self._commands.run(
            command,
            platform=PLATFORM,
            team=message.team,
            thread=message.thread if message.is_reply or message.is_direct else None,
            author=author,
            locale=person.locale,
            is_admin=person.is_admin,
        )
        await notify(
            workspace, message.channel, message.user, sentence, thread_ts=_thread_ts(message)
        )

    async def _refuse(
        self, workspace: Workspace, message: SlackMessage, refusal: UserFacingError
    ) -> None:
        await notify_refusal(
            workspace, message.channel, message.user, refusal, thread_ts=_thread_ts(message)
        )


def _question(message: SlackMessage, *, edited_at: float = 0) -> IncomingMessage:
    return IncomingMessage(
        key=message.key,
        thread=message.thread,
        author=Author(id=message.user, team=message.user_team),
        text=message.text,
        attachments=message.attachments,
        sent_at=message.sent_at,
        edited_at=edited_at,
        context=Origin().to_context(),
    )


def _thread_ts(message: SlackMessage) -> str | None:
    """Where a notice about it goes; `None`: into the channel."""
    return message.thread_ts if message.is_reply else None
