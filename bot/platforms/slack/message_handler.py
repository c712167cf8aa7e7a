"""From Slack's events to questions of the core: who is meant, which copy, which version."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from bot.core.addressing import Addressing, MessageFacts
from bot.core.commands import Command, Commands, parse
from bot.core.erasure import Erasure
from bot.errors import UserFacingError
from bot.platforms.chat.thread_locks import ThreadLocks
from bot.platforms.platform import Core
from bot.platforms.slack.adapter_context import AdapterContext
from bot.platforms.slack.api import SlackRefused, SlackUnreachable
from bot.platforms.slack.events import (
    PLATFORM,
    VIEW,
    Event,
    Said,
    file_ids,
    is_own,
    message_key,
    plain_text,
    said,
    thread_key,
)
from bot.platforms.slack.replies.exchange import SlackExchange
from bot.platforms.slack.shapes import well_formed
from bot.platforms.slack.workspaces import Workspace
from bot.store import StoreFailed
from bot.texts import say
from bot.values.messages import Author, IncomingMessage, ThreadKey, TryLater

log = logging.getLogger(__name__)

EARLY_KEPT_S = 10
READ_WITHIN_S = 3
MAX_EARLY_THREADS = 1000
MAX_EARLY = 20

MakeExchange = Callable[[IncomingMessage], SlackExchange]


class Hearing:
    """Hears what is said and decides nothing: `Addressing` does. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        core: Core,
        addressing: Addressing,
        commands: Commands,
        erasure: Erasure,
        context: AdapterContext,
        is_fresh: Callable[[], bool],
    ) -> None:
        """`is_fresh`: whether Slack was connected to just now."""
        self._core = core
        self._addressing = addressing
        self._commands = commands
        self._erasure = erasure
        self._context = context
        self._is_fresh = is_fresh
        self._locks = ThreadLocks()
        self._early: OrderedDict[ThreadKey, list[tuple[float, Said]]] = OrderedDict()
        self.intake = True

    def exchange(self, message: IncomingMessage) -> SlackExchange:
        """For a question of this adapter's."""
        return SlackExchange(self._context, message)

    # -- messages -----------------------------------------------------------------------------

    async def message(self, workspace: Workspace, event: Event) -> None:
        """A message was sent, edited or deleted; or the bot was mentioned."""
        if not self.intake:
            return
        event = well_formed(event)
        changed = event.get("message") or {}
        match event.get("subtype"):
            case "message_deleted":
                await self._deleted(workspace, event, str(event.get("deleted_ts")))
            case "message_changed" if changed.get("subtype") == "tombstone":
                # So a message is deleted that has replies, as every question has.
                await self._deleted(workspace, event, str(changed.get("ts")))
            case "message_changed":
                self._shown_by_somebody(workspace, str(event.get("channel")), changed)
                await self._edited(workspace, event)
            case _:
                it = self._said(workspace, event)
                if it is not None:
                    await self.heard(workspace, it)
                else:
                    self._shown_by_somebody(workspace, str(event.get("channel")), event)

    def _shown_by_somebody(self, workspace: Workspace, channel: str, message: Event) -> None:
        """No question, but its pictures may be what the next one is about."""
        if is_own(message, bot_user=workspace.bot_user, bot=workspace.bot):
            return
        if not self._context.pictures.of_event(message):
            return
        thread_ts = str(message.get("thread_ts") or message.get("ts"))
        self._context.pictures.left_alone(thread_key(workspace.team, channel, thread_ts))

    def _said(self, workspace: Workspace, event: Event, channel: str = "") -> Said | None:
        return said(
            workspace.team,
            event,
            bot_user=workspace.bot_user,
            bot=workspace.bot,
            channel=channel,
        )

    async def heard(self, workspace: Workspace, it: Said, *, late: bool = False) -> None:
        """One copy of a message of a person.

        `late`: found in the history. Commands are not run late: they leave no claim, and what was
        forgotten before a restart must not be forgotten again after it.
        """
        is_first = self._context.pictures.copies.note(it, self._context.pictures.of_event(it.raw))
        is_told_to = it.direct or it.mentions(workspace.bot_user)
        if it.thread_ts == it.ts and not is_told_to:
            return  # the channel's own talk
        if self._context.pictures.copies.is_deleted(it.key):
            return
        async with self._locks.of(it.thread):
            if not late and it.thread_ts != it.ts and self._is_fresh():
                for lost in await self._lost_before(workspace, it):
                    await self._look_at(workspace, lost, late=True)
            text = await self._look_at(workspace, it, late=late)
        if text is None:
            return
        command = parse(text)
        if command is None:
            await self._those_that_came_early(workspace, it)
        elif is_first and not late:
            await self._run(command, workspace, it)

    async def _look_at(self, workspace: Workspace, it: Said, *, late: bool) -> str | None:
        """Ask, if it is a question. Returns: its words, or a command's; `None`: not for the bot."""
        is_mention = it.mentions(workspace.bot_user)
        addressed = await self._addressing.is_for_the_bot(
            MessageFacts(
                thread=it.thread,
                sent_at=float(it.ts),
                direct=it.direct,
                mentions_bot=is_mention,
                mentions_others=it.mentions_others_than(workspace.bot_user),
            )
        )
        if not addressed:
            self._leave_alone(it)
            return None
        text = plain_text(it.text, workspace.bot_user)
        if parse(text) is None:
            await self._ask(workspace, it, text, said_to_bot=is_mention or it.direct, late=late)
        return text

    async def _ask(
        self, workspace: Workspace, it: Said, text: str, *, said_to_bot: bool, late: bool
    ) -> None:
        author = Author(id=it.user)
        if not self._core.allows(it.thread, author):
            if said_to_bot and not late:
                await self._tell(workspace, it, "not_allowed")
            return
        message = self._incoming(it, text)
        try:
            self._core.ask(message, self.exchange(message))
        except UserFacingError as refusal:
            await self._tell(workspace, it, refusal.key, **refusal.values)

    def _incoming(self, it: Said, text: str, *, edited_at: float = 0) -> IncomingMessage:
        return IncomingMessage(
            key=it.key,
            thread=it.thread,
            author=Author(id=it.user, team=it.user_team),
            text=text,
            attachments=self._context.pictures.of_event(it.raw),
            sent_at=float(it.ts),
            edited_at=edited_at,
        )

    async def _lost_before(self, workspace: Workspace, it: Said) -> list[Said]:
        """What stands in the thread between the last question and a message, and was not told.

        After a reconnect, a message may come before one that the old connection has lost. Slack
        delivers the lost one again, seconds later; the thread itself has it already.
        """
        try:
            asked = await self._context.store.inbox.of_thread(it.thread)
        except StoreFailed:
            return []
        times = [float(ts) for ts in asked if not ts.startswith(VIEW)]
        last = max((time_ for time_ in times if time_ < float(it.ts)), default=None)
        if last is None:
            return []
        read = workspace.api.read(
            "conversations.replies",
            channel=it.channel,
            ts=it.thread_ts,
            oldest=f"{last:.6f}",
            latest=it.ts,
        )
        try:
            page = await asyncio.wait_for(read, READ_WITHIN_S)
        except (SlackRefused, SlackUnreachable, TimeoutError):
            return []  # then they are answered in the order they come
        found = (self._said(workspace, event, it.channel) for event in page["messages"])
        return [lost for lost in found if lost is not None and last < float(lost.ts) < float(it.ts)]

    # -- messages that come before the one they follow ----------------------------------------

    def _leave_alone(self, it: Said) -> None:
        self._context.pictures.left_alone(it.thread)
        now = time.monotonic()
        early = [kept for kept in self._early.pop(it.thread, ()) if kept[0] >= now]
        self._early[it.thread] = [*early, (now + EARLY_KEPT_S, it)][-MAX_EARLY:]
        while len(self._early) > MAX_EARLY_THREADS or self._oldest_early() < now:
            self._early.popitem(last=False)

    def _oldest_early(self) -> float:
        return next(iter(self._early.values()))[-1][0]

    async def _those_that_came_early(self, workspace: Workspace, question: Said) -> None:
        """Events may overtake each other: a follow-up can come before the question."""
        early = self._early.pop(question.thread, ())
        now = time.monotonic()
        for until, it in sorted(early, key=lambda item: float(item[1].ts)):
            if until >= now and float(it.ts) > float(question.ts):
                await self.heard(workspace, it)

    # -- edits and deletions ------------------------------------------------------------------

    async def _edited(self, workspace: Workspace, event: Event) -> None:
        new, old = event.get("message") or {}, event.get("previous_message") or {}
        edited = new.get("edited") or {}
        it = self._said(workspace, new, str(event.get("channel")))
        # Slack also reports what it does itself: a link unfurled, a reply counted.
        unchanged = (new.get("text"), file_ids(new)) == (old.get("text"), file_ids(old))
        if it is None or unchanged or not edited.get("ts"):
            return
        text = plain_text(it.text, workspace.bot_user)
        message = self._incoming(it, text, edited_at=float(edited["ts"]))
        is_question = False
        try:
            async with self._locks.of(it.thread):
                is_question = await self._core.latest(it.key) is not None
                if is_question:
                    await self._core.revise(message, self.exchange(message))
        except UserFacingError as refusal:
            if is_question or it.mentions(workspace.bot_user):
                await self._tell(workspace, it, refusal.key, **refusal.values)
            return
        if not is_question and it.mentions(workspace.bot_user):
            # The mention was forgotten at first: now it is a question.
            await self.heard(workspace, it)

    async def _deleted(self, workspace: Workspace, event: Event, ts: str) -> None:
        """A question was deleted: stop it, erase it, delete its answer."""
        previous = event.get("previous_message") or {}
        channel = str(event.get("channel"))
        key = message_key(workspace.team, channel, ts)
        thread = thread_key(workspace.team, channel, str(previous.get("thread_ts") or ts))
        self._context.pictures.copies.delete(key)
        async with self._locks.of(thread):
            latest = await self._core.latest(key)
            if latest is None:
                return
            await self._erasure.stop(key)
            replies = await self._context.store.replies.messages_of(latest.thread, key)
            await self._erasure.question(key)
        for reply in replies:
            try:
                await workspace.api.patient_write("chat.delete", channel=channel, ts=reply)
            except (SlackRefused, TryLater) as exc:
                log.info("an answer stays: %s", exc)

    def stopped_in_slack(self, team: str, event: Event) -> None:
        """Slack's own stop button."""
        thread = thread_key(team, str(event.get("channel")), str(event.get("thread_ts")))
        key = self._core.first_in_flight(thread)
        if key is not None:
            self._core.stop(key)

    # -- words to the bot ---------------------------------------------------------------------

    async def _run(self, command: Command, workspace: Workspace, it: Said) -> None:
        person = await workspace.person(it.user)
        if not self._core.allows(it.thread, Author(id=it.user)):
            await self._tell(workspace, it, "not_allowed")
            return
        sentence = await self._commands.run(
            command,
            platform=PLATFORM,
            team=it.team,
            thread=it.thread if it.thread_ts != it.ts or it.direct else None,
            author=Author(id=it.user),
            locale=person.locale,
            is_admin=person.is_admin,
        )
        await self._say_to_one(workspace, it, sentence)

    async def _tell(self, workspace: Workspace, it: Said, sentence: str, **values: Any) -> None:
        person = await workspace.person(it.user)
        await self._say_to_one(workspace, it, say(person.locale, sentence, **values))

    async def _say_to_one(self, workspace: Workspace, it: Said, sentence: str) -> None:
        """Only the person who asked sees it."""
        try:
            await workspace.api.patient_write(
                "chat.postEphemeral",
                channel=it.channel,
                user=it.user,
                thread_ts=it.thread_ts if it.thread_ts != it.ts else None,
                text=sentence,
            )
        except (SlackRefused, TryLater) as exc:
            log.info("a sentence could not be said: %s", exc)
