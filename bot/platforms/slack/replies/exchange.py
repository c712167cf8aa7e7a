"""One question and its reply in Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from bot.platforms.chat.presets import offers_presets
from bot.platforms.chat.waiting import patiently, waiting_sentence
from bot.platforms.slack.api import (
    UNREACHABLE_PAUSE_S,
    SlackApi,
    SlackRefused,
    SlackUnreachable,
    Unsure,
    reason,
)
from bot.platforms.slack.events import MENTION, with_names
from bot.platforms.slack.origin import AskedBy, Origin
from bot.platforms.slack.replies import blocks
from bot.platforms.slack.replies.context import AdapterContext
from bot.platforms.slack.replies.files import attach, detach
from bot.platforms.slack.replies.markdown import slack_markdown
from bot.platforms.slack.replies.notices import find_notice, notice_of
from bot.platforms.slack.replies.parts import CANNOT_WRITE, Parts
from bot.platforms.slack.replies.sessions import note_refusal, set_session
from bot.platforms.slack.workspaces import Workspace
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

FIRST_PACE_S = 1.0
REFUSAL_PACE_S = 2.0


class SlackExchange:
    """Implements `bot.values.messages.Exchange`."""

    def __init__(
        self, adapter: AdapterContext, message: IncomingMessage, *, begun: bool = False
    ) -> None:
        """`begun`: an earlier run may have posted messages that the store does not know."""
        self._adapter = adapter
        self._message = message
        self._channel = message.thread.channel
        self._thread = message.thread.thread
        self._locale = message.locale
        self._workspace: Workspace | None = None
        self._in_session = False
        self._may_be_in_session = begun
        self._may_have_file = begun
        self._has_file = False
        self._parts = Parts(message, replies=adapter.store.replies, stop=adapter.stop, unsure=begun)

    @property
    def limits(self) -> ReplyLimits:
        """Slack's: characters per message, and edits per minute that all replies share."""
        pace_s = FIRST_PACE_S
        if self._workspace is not None:
            pace_s = self._workspace.api.rates.pace_s(self._parts.kind)
        return ReplyLimits(
            max_length=blocks.MAX_LENGTH,
            measure=blocks.length,
            render=slack_markdown,
            pace_s=pace_s,
            refusal_pace_s=REFUSAL_PACE_S,
        )

    # -- the question -------------------------------------------------------------------------

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """The author's name and language, people's names in the text, the pictures."""
        workspace = await patiently(self._at)
        self._may_have_file |= message.revision > 0
        users = [message.author.id, *MENTION.findall(message.text)]
        people, attachments = await asyncio.gather(
            asyncio.gather(*(workspace.person(user) for user in users)),
            self._attachments(message, workspace),
        )
        author = people[0]
        self._locale = self._parts.locale = author.locale
        names = {user: person.name for user, person in zip(users, people, strict=True)}
        completed = replace(
            message,
            author=replace(message.author, name=author.name),
            locale=author.locale,
            text=with_names(message.text, names),
            attachments=attachments,
        )
        if Origin.of(message).asked_by is AskedBy.MODAL:
            await patiently(lambda: self._post_notice(completed, workspace))
        return completed

    async def _attachments(
        self, message: IncomingMessage, workspace: Workspace
    ) -> tuple[Attachment, ...]:
        if message.again:  # the thread has them
            return message.attachments
        return await self._adapter.pictures.find(message, workspace)

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """See `Exchange.open`."""
        async for piece in self._adapter.pictures.open(attachment, await self._at()):
            yield piece

    async def _post_notice(self, message: IncomingMessage, workspace: Workspace) -> None:
        """Nobody sees what is asked in a modal: repeat it in the thread, once."""
        replies = self._adapter.store.replies
        if await replies.notice_of(message.thread, message.key) is not None:
            return
        ts = await find_notice(workspace, message)  # from a call that broke off, or an earlier run
        if ts is None:
            asked = say(message.locale, "asked_in_modal", user=message.author.id)
            question = blocks.unpinged(message.text or say(message.locale, "default_question"))
            posted = await workspace.api.write(
                "chat.postMessage",
                channel=self._channel,
                thread_ts=self._thread,
                text=f"{asked}{question}",
                metadata=notice_of(message.key),
            )
            ts = posted["ts"]
        await replies.remember_notice(message.thread, message.key, ts)

    # -- the reply ----------------------------------------------------------------------------

    async def status(self, status: Status) -> None:
        """Show Slack's own status where there is one, else a message that becomes the answer."""
        if self._parts.shown or status.stage is Stage.ANSWERING:
            return
        workspace = await self._at()
        sentence = waiting_sentence(status, self._locale)
        try:
            is_waiting = status == Status(Stage.QUEUED)
            begun = await self._parts.load(workspace, is_waiting=is_waiting)
            in_session = await self._begin_session(workspace)
            # A load may outlast Slack's own status, which vanishes after two minutes.
            is_short = status.stage is not Stage.LOADING
            if begun is None and in_session and is_short:
                await workspace.api.write(
                    "assistant.threads.setStatus",
                    channel_id=self._channel,
                    thread_ts=self._thread,
                    status=sentence,
                )
            elif begun is not None or not is_waiting:
                # A question that waits for the one before it posts no message yet: a thread's
                # answers come in the order of its questions.
                await self._parts.wait(workspace, sentence)
        except SlackRefused as exc:
            log.info("a status was not shown: %s", exc)

    async def show(self, part: int, text: str) -> None:
        """See `Exchange.show`."""
        workspace = await self._at()
        await self._parts.load(workspace)
        await self._parts.show(workspace, part, text)

    async def attach(self, file: TextFile) -> bool:
        """See `Exchange.attach`."""
        workspace = await self._at()
        try:
            await attach(workspace.api, self._adapter.store.replies, self._message, file)
        except SlackRefused as exc:
            log.warning("a file was not posted: %s", reason(exc))
            return False
        self._has_file = True
        return True

    async def end(self, ending: Ending) -> None:
        """Post the last text, the receipt, and the buttons."""
        workspace = await self._at()
        if self._may_have_file and not self._has_file:
            await detach(workspace.api, self._adapter.store.replies, self._message)
        presets: Sequence[str] = ()
        if self._offers_presets(ending):
            presets = await self._adapter.preset_names(self._locale, self._message.thread.place)
        receipt = blocks.receipt_blocks(self._message.key, ending.receipt, self._locale, presets)
        try:
            await self._parts.load(workspace)
            await self._parts.finish(workspace, self._last_text(ending), receipt)
        except SlackRefused as exc:
            if exc.error not in CANNOT_WRITE:
                raise
            await self._tell_directly(workspace.api, exc.error)
        may_try = workspace.has_sessions.may_try(self._channel)
        may_have_begun = self._may_be_in_session and may_try
        if may_have_begun or workspace.has_sessions.has_worked(self._channel):
            # Even if an earlier revision of the question, or an earlier run, began it. Before the
            # question leaves the inbox: after a crash it is ended again, and so is its session.
            await self._end_session(workspace)

    def _offers_presets(self, ending: Ending) -> bool:
        """Whether a picture was posted without a question: then there is one to be chosen."""
        is_message = Origin.of(self._message).asked_by is AskedBy.MESSAGE
        return is_message and offers_presets(self._message, ending)

    def _last_text(self, ending: Ending) -> str:
        shown = self._parts.last_text
        if ending.outcome is Outcome.REFUSED:
            return f"{shown}\n\n{ending.text}".strip()
        return shown or ending.text or " ".join(ending.receipt.notes)

    async def _begin_session(self, workspace: Workspace) -> bool:
        """Begin an agent session, once. False: there are none here."""
        if self._in_session or not workspace.has_sessions.may_try(self._channel):
            return self._in_session
        if not workspace.api.rates.may_begin_session():
            return False
        try:
            await self._set_session(workspace, "processing")
        except TryLater as later:
            self._may_be_in_session |= isinstance(later, Unsure)
            return False
        except SlackRefused as exc:
            note_refusal(workspace, self._message, exc)
            return False
        workspace.has_sessions.note_success(self._channel)
        self._in_session = True
        return True

    async def _end_session(self, workspace: Workspace) -> None:
        """Once; if Slack asks for later, in the background, so that the answer need not wait."""
        try:
            await self._set_session(workspace, "active")
        except TryLater as later:
            sessions = self._adapter.sessions
            held = await sessions.record(self._message.thread, self._message.author.id)
            self._adapter.in_background(sessions.end(held, after_s=later.after_s))
        except SlackRefused as exc:
            note_refusal(workspace, self._message, exc)

    async def _set_session(self, workspace: Workspace, status: str) -> None:
        author = self._message.author.id
        await set_session(workspace, self._channel, self._thread, author, status)

    async def _tell_directly(self, api: SlackApi, error: str) -> None:
        """The bot may not post in the channel: tell the user why, in a direct message."""
        sentence = say(self._locale, "slack_cannot_write", channel=self._channel, error=error)
        try:
            opened = await api.write("conversations.open", users=self._message.author.id)
            await api.write("chat.postMessage", channel=opened["channel"]["id"], text=sentence)
        except SlackRefused as exc:
            log.warning("an answer could not be delivered anywhere: %s", exc)

    # -- where --------------------------------------------------------------------------------

    async def _at(self) -> Workspace:
        """The question's workspace. Raises: TryLater, SlackRefused, NotInstalled."""
        if self._workspace is None:
            try:
                self._workspace = await self._adapter.workspaces.of(self._message.key.team)
            except SlackUnreachable:
                raise TryLater(UNREACHABLE_PAUSE_S) from None
        return self._workspace
