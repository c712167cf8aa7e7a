"""From Slack's message events to intake: copies, order, edits that are none."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from bot.core.addressing import Addressing
from bot.core.commands import Command, Commands
from bot.core.erasure import Erasure
from bot.errors import UserFacingError
from bot.platforms.chat.intake import Handled, Intake, NotTaken
from bot.platforms.chat.removals import Removals
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
from bot.platforms.slack.replies.files import file_id
from bot.platforms.slack.shapes import is_ts, well_formed
from bot.platforms.slack.workspaces import NotInstalled, Workspace
from bot.store import StoreFailed
from bot.values.messages import Author, IncomingMessage, MessageKey, TryLater

log = logging.getLogger(__name__)

READ_WITHIN_S = 3


class MessageHandler:
    """Handles messages, edits and deletions. Lives as long as the adapter.

    Implements `bot.platforms.chat.intake.IntakeHooks`.
    """

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
        self._commands = commands
        self._adapter = adapter
        self._is_fresh = is_fresh
        self._early = EarlyMessages()
        self._started_at = time.time()
        self.removals = Removals(PLATFORM, store=adapter.store, remove=self._remove)
        self.intake: Intake[SlackMessage] = Intake(
            core=core,
            addressing=addressing,
            erasure=erasure,
            replies=adapter.store.replies,
            removals=self.removals,
            hooks=self,
            in_background=adapter.in_background,
        )

    # -- messages -----------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raises: NotTaken, during a shutdown: Slack delivers the event to the next start."""
        if not self.intake.is_open:
            raise NotTaken

    async def check_recorded(self, key: MessageKey) -> None:
        """Wait until a question is claimed, or its user was told why not.

        Raises: NotTaken, where a shutdown came before.
        """
        if not await self._core.recorded(key):
            raise NotTaken

    async def on_event(self, workspace: Workspace, event: Event) -> None:
        """A message was sent, edited or deleted; or the bot was mentioned."""
        self.check_open()
        event = well_formed(event)
        changed = event.get("message") or {}
        match event.get("subtype"):
            case "message_deleted":
                await self._on_delete(workspace, event, str(event.get("deleted_ts")))
            case "message_changed" if changed.get("subtype") == "tombstone":
                # How Slack deletes a message that has replies, as every question has.
                await self._on_delete(workspace, event, str(changed.get("ts")))
            case "message_changed":
                channel = str(event.get("channel"))
                message = self.read(workspace, changed, channel)
                if message is not None:
                    await self._on_edit(message, changed, event.get("previous_message") or {})
                else:
                    self._note_unread(workspace, changed, channel)
            case _:
                message = self.read(workspace, event)
                if message is not None:
                    await self.on_message(message)
                else:
                    self._note_unread(workspace, event, str(event.get("channel")))

    def read(self, workspace: Workspace, event: Event, channel: str = "") -> SlackMessage | None:
        """See `read_message`."""
        attachments_of = self._adapter.pictures.of_event
        return read_message(event, workspace, channel=channel, attachments_of=attachments_of)

    def _note_unread(self, workspace: Workspace, event: Event, channel: str) -> None:
        """No question, but the next one may be about its pictures."""
        if is_own(event, bot_user=workspace.bot_user, bot=workspace.bot):
            return
        if self._adapter.pictures.of_event(event):
            thread_ts = str(event.get("thread_ts") or event.get("ts"))
            self._adapter.pictures.earlier.mark_unread(
                thread_key(workspace.team, channel, thread_ts)
            )

    async def on_message(self, message: SlackMessage, *, from_history: bool = False) -> None:
        """Handle one copy of a person's message; return once it may be acknowledged.

        `from_history`: see `Intake.on_message`.
        """
        is_first = self._adapter.pictures.copies.note(message)
        if not message.is_reply and not message.is_addressed:
            return  # the channel's own talk
        async with self.intake.locks.of(message.thread):
            is_live = message.is_reply and not from_history
            if is_live and self._is_fresh() and self._allows(message):
                for skipped in await self._fetch_skipped(message):
                    await self._handle(skipped, from_history=True)
            handled = await self._handle(message, from_history=from_history)
        if not handled.is_addressed:
            return
        if handled.command is None:
            await self.check_recorded(message.key)
            await self._replay_early(message)
        elif is_first and not from_history:
            await self.run_command(handled.command, message)

    async def _handle(self, message: SlackMessage, *, from_history: bool) -> Handled:
        handled = await self.intake.handle(message, from_history=from_history)
        if not handled.is_addressed:
            self._adapter.pictures.earlier.mark_unread(message.thread)
            if self._allows(message):
                self._early.keep(message)
        return handled

    def _allows(self, message: SlackMessage) -> bool:
        return self._core.access.allows(message.thread, message.author)

    async def _fetch_skipped(self, message: SlackMessage) -> list[SlackMessage]:
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
        reading = message.workspace.api.read(
            "conversations.replies",
            channel=message.channel,
            ts=message.thread_ts,
            oldest=f"{last:.6f}",
            latest=message.ts,
        )
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                page = await reading
        except (SlackRefused, SlackUnreachable, TimeoutError):
            return []  # then they are answered in the order they come
        found = (self.read(message.workspace, event, message.channel) for event in page["messages"])
        return [
            skipped
            for skipped in found
            if skipped is not None and last < skipped.sent_at < message.sent_at
        ]

    async def _replay_early(self, question: SlackMessage) -> None:
        """Handle the follow-ups that came before their question."""
        for message in self._early.after(question):
            await self.on_message(message)

    # -- what intake asks of a chat -----------------------------------------------------------

    async def author_of(self, message: SlackMessage) -> Author:
        """See `IntakeHooks`."""
        return message.author

    async def question_of(self, message: SlackMessage, author: Author) -> IncomingMessage:
        """See `IntakeHooks`. `SlackExchange.complete` looks up what is missing."""
        return IncomingMessage(
            key=message.key,
            thread=message.thread,
            author=author,
            text=message.text,
            attachments=message.attachments,
            sent_at=message.sent_at,
            edited_at=message.edited_at,
            context=Origin().to_context(),
        )

    def exchange(self, question: IncomingMessage) -> SlackExchange:
        """See `IntakeHooks`. An earlier run may have told why it could not take the question."""
        begun = question.sent_at < self._started_at
        return SlackExchange(self._adapter, question, begun=begun)

    async def run_command(self, command: Command, message: SlackMessage) -> None:
        """See `IntakeHooks`."""
        person = await message.workspace.person(message.author.id)
        sentence = await self._commands.run(
            command,
            platform=PLATFORM,
            team=message.workspace.team,
            thread=message.thread if message.is_reply or message.is_direct else None,
            author=message.author,
            locale=person.locale,
            is_admin=person.is_admin or self._core.access.is_admin(PLATFORM, message.author.id),
        )
        await notify(
            message.workspace,
            message.channel,
            message.author.id,
            sentence,
            thread_ts=_notices_thread(message),
        )

    async def tell(self, message: SlackMessage, sentence: str, **values: Any) -> None:
        """See `IntakeHooks`."""
        await notify_refusal(
            message.workspace,
            message.channel,
            message.author.id,
            UserFacingError(sentence, **values),
            thread_ts=_notices_thread(message),
        )

    # -- edits, deletions, Slack's stop button ------------------------------------------------

    async def _on_edit(self, message: SlackMessage, new: Event, old: Event) -> None:
        if message.attachments:
            self._adapter.pictures.earlier.mark_unread(message.thread)
        # Slack also reports changes of its own: a link unfurled, a reply counted.
        unchanged = (new.get("text"), file_ids(new)) == (old.get("text"), file_ids(old))
        if unchanged or not message.edited_at:
            return
        if await self.intake.on_edit(message):
            await self.on_message(message)
        await self.check_recorded(message.key)

    async def _on_delete(self, workspace: Workspace, event: Event, ts: str) -> None:
        previous = event.get("previous_message") or {}
        channel = str(event.get("channel"))
        thread = thread_key(workspace.team, channel, str(previous.get("thread_ts") or ts))
        key = message_key(workspace.team, channel, ts)
        async with self.intake.locks.of(thread):
            replies = await self.intake.on_delete(key)
        await self.removals.run(key, replies)

    async def _remove(self, key: MessageKey, reply: str) -> bool:
        try:
            workspace = await self._adapter.workspaces.of(key.team)
        except (SlackRefused, SlackUnreachable, NotInstalled, TryLater) as exc:
            log.info("an answer stays for now: %s", type(exc).__name__)
            return False
        try:
            if (file := file_id(reply)) is not None:
                await workspace.api.patient_write("files.delete", file=file)
            else:
                await workspace.api.patient_write("chat.delete", channel=key.channel, ts=reply)
        except (SlackUnreachable, TryLater) as exc:
            log.info("an answer stays for now: %s", exc)
            return False
        except SlackRefused as exc:
            log.info("an answer could not be deleted: %s", exc)
        return True

    async def on_stop(self, team: str, event: Event) -> None:
        """Somebody pressed Slack's own stop button."""
        thread = thread_key(team, str(event.get("channel")), str(event.get("thread_ts")))
        if not self._core.access.allows(thread, Author(id=str(event.get("user")))):
            return
        key = await self._core.first_in_flight(thread)
        if key is not None:
            await self._core.stop(key)


def _notices_thread(message: SlackMessage) -> str | None:
    """Where a notice about a message goes; `None`: into the channel."""
    return message.thread_ts if message.is_reply else None
