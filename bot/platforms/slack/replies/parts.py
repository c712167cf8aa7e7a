"""The messages that hold one reply: streamed where Slack allows it, else edited.

There is one message per part. The store remembers it before more is written to it, so that a
restart, an edit and *Ask again* continue in the same messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bot.platforms.slack.api import UNSUPPORTED, Kind, SlackRefused, Unsure
from bot.platforms.slack.events import Event
from bot.platforms.slack.replies import blocks
from bot.platforms.slack.replies.notices import is_notice, own_messages
from bot.platforms.slack.workspaces import Workspace
from bot.store import Replies, StoreFailed
from bot.values.messages import IncomingMessage, MessageKey, TryLater

log = logging.getLogger(__name__)

GONE = {"message_not_found", "edit_window_closed", "cant_update_message"}
CANNOT_WRITE = {
    "is_archived",
    "not_in_channel",
    "channel_not_found",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_non_threadable_channel",
    "restricted_action_thread_only_channel",
    "posting_to_channel_denied",
}


@dataclass(slots=True)
class Part:
    """One message of the reply."""

    ts: str
    text: str | None = field(default=None, repr=False)
    """Its text; `None`: not known for sure."""
    streaming: bool = False


class Parts:
    """All messages of a reply. Lives as long as the exchange."""

    def __init__(
        self,
        message: IncomingMessage,
        *,
        replies: Replies,
        stop: Callable[[MessageKey], Awaitable[object]],
        unsure: bool,
    ) -> None:
        """`unsure`: Slack may have a message that the store does not know."""
        self._message = message
        self._key = message.key
        self._channel = message.thread.channel
        self._thread = message.thread.thread
        self._replies = replies
        self._stop = stop
        self._unsure = unsure
        self._held: dict[int, Part] = {}
        self._loaded = asyncio.Lock()
        self._is_loaded = False
        self.kind: Kind = "stream"
        self.shown = 0
        """How many parts hold text of this run."""
        self.locale = message.locale

    # -- which there are ----------------------------------------------------------------------

    async def load(self, workspace: Workspace, *, is_waiting: bool = False) -> Part | None:
        """Look up the parts of an earlier run or revision. Returns: the first one.

        `is_waiting`: for earlier questions of the thread, whose messages are not to be taken for
        its own; only those that the store knows are looked up.
        """
        async with self._loaded:
            if not self._is_loaded:
                known = await self._replies.of_question(self._message.thread, self._key)
                # What this run has posted, the store may have failed to remember.
                posted = {part: one for part, one in self._held.items() if one.text is not None}
                self._held = {part: Part(ts) for part, ts in known.items()} | posted
                if not (self._held or is_waiting):
                    await self._made(workspace, 0)
                self._is_loaded = not is_waiting
        return self._held.get(0)

    async def _keep(self, number: int, part: Part) -> None:
        self._held[number] = part
        await self._replies.remember_part(self._message.thread, self._key, number, part.ts)

    async def _made(self, workspace: Workspace, number: int) -> Part | None:
        """The message of a part, even one that Slack has made and the store does not know.

        Called before a message is made: the call before may have broken off.
        """
        if number not in self._held and self._unsure:
            await self._adopt(workspace, number)
        return self._held.get(number)

    async def _adopt(self, workspace: Workspace, number: int) -> None:
        """Find a message that was posted and, because a call or a run broke off, not remembered."""
        found: list[Event] = []
        try:
            found = await own_messages(workspace, self._message)
        except SlackRefused as exc:
            log.warning("the thread could not be read: %s", exc)
        known = {part.ts for part in self._held.values()}
        # A stream has no buttons while it grows; those of any other message name its question.
        questions: list[tuple[str, str] | None] = [(self._key.channel, self._key.message)]
        try:
            known |= await self._replies.of_thread(self._message.thread)
            questions.append(None)
        except StoreFailed:
            log.warning("an unknown stream is not looked for: the store fails")
        self._unsure = False
        unknown = [it for it in found if str(it["ts"]) not in known and not is_notice(it)]
        for question in questions:
            for event in unknown:
                if blocks.question_of(event) == question:
                    await self._keep(number, Part(str(event["ts"])))
                    self._edited(workspace)
                    return

    # -- while it grows -----------------------------------------------------------------------

    async def show(self, workspace: Workspace, number: int, text: str) -> None:
        """Make or change a part. Raises: TryLater, SlackRefused."""
        if number and number not in self._held:
            await self._complete(workspace, number - 1)
        part = await self._made(workspace, number)
        if part is None:
            await self._begin(workspace, number, text)
        elif part.text != text:
            await self._change(workspace, number, part, text)
        self.shown = max(self.shown, number + 1)

    async def wait(self, workspace: Workspace, sentence: str) -> None:
        """Show a status in the message that will become the answer."""
        layout = blocks.waiting(sentence, self._key, self.locale)
        part = await self._made(workspace, 0)
        if part is None:
            await self._post(workspace, 0, sentence, layout)
        else:
            await self._update(workspace, 0, part, sentence, layout)

    async def _begin(self, workspace: Workspace, number: int, text: str) -> None:
        if self._may_stream(workspace) and await self._start_stream(workspace, number, text):
            return
        await self._post(workspace, number, text, blocks.running(text, self._key, self.locale))

    def _may_stream(self, workspace: Workspace) -> bool:
        return (
            self.kind == "stream"
            and workspace.streams.may_try(self._channel)
            and workspace.api.rates.may_start_stream()
        )

    async def _start_stream(self, workspace: Workspace, number: int, text: str) -> bool:
        """False: Slack does not stream here or now, so the answer is an edited message."""
        try:
            begun = await workspace.api.write(
                "chat.startStream",
                channel=self._channel,
                thread_ts=self._thread,
                recipient_user_id=self._message.author.id,
                recipient_team_id=self._message.author.team or self._key.team,
                markdown_text=blocks.unpinged(text),
            )
        except Unsure:
            self._unsure = True
            raise
        except TryLater as later:
            workspace.api.rates.no_streams_for(later.after_s)
            return False
        except SlackRefused as exc:
            log.info("no stream here: %s", exc)
            if exc.error in UNSUPPORTED:
                workspace.streams.note_refusal(self._channel)
            return False
        await self._keep(number, Part(begun["ts"], text, streaming=True))
        workspace.api.rates.track(self, "stream")
        return True

    async def _post(
        self, workspace: Workspace, number: int, text: str, layout: list[blocks.Block]
    ) -> None:
        try:
            posted = await workspace.api.write(
                "chat.postMessage",
                channel=self._channel,
                thread_ts=self._thread,
                text=blocks.notification(text),
                blocks=layout,
                unfurl_links=False,
                unfurl_media=False,
            )
        except Unsure:
            self._unsure = True
            raise
        await self._keep(number, Part(posted["ts"], text))
        self._edited(workspace)

    def _edited(self, workspace: Workspace) -> None:
        """From now on this reply is edited, not streamed."""
        if self.kind != "update":
            self.kind = "update"
            workspace.api.rates.track(self, "update")

    async def _change(self, workspace: Workspace, number: int, part: Part, text: str) -> None:
        if part.streaming:
            grows = part.text is not None and text.startswith(part.text)
            if grows and await self._append(workspace, part, text):
                return
            await self._stop_stream(workspace, part)
        await self._update(
            workspace, number, part, text, blocks.running(text, self._key, self.locale)
        )

    async def _append(self, workspace: Workspace, part: Part, text: str) -> bool:
        """False: the stream has ended, and the message must be edited."""
        try:
            await workspace.api.write(
                "chat.appendStream",
                channel=self._channel,
                ts=part.ts,
                markdown_text=_added(part, text),
            )
        except Unsure:
            part.text = None  # it may have been appended: the next change replaces it all
            raise
        except SlackRefused as exc:
            part.streaming = False
            if exc.error == "stopped_by_user":
                await self._stop(self._key)
            return False
        part.text = text
        return True

    async def _stop_stream(self, workspace: Workspace, part: Part, **arguments: Any) -> bool:
        """False: it had ended before, and `arguments` had no effect."""
        if not part.streaming:
            return False
        try:
            await workspace.api.write(
                "chat.stopStream", channel=self._channel, ts=part.ts, **arguments
            )
        except Unsure:
            part.text = None
            raise
        except SlackRefused as exc:
            log.info("a stream was closed before: %s", exc)
            part.streaming = False
            return False
        part.streaming = False
        return True

    async def _update(
        self,
        workspace: Workspace,
        number: int,
        part: Part,
        text: str,
        layout: list[blocks.Block],
    ) -> None:
        """Edit a message; one that was deleted meanwhile is posted again."""
        self._edited(workspace)
        arguments: dict[str, Any] = {
            "channel": self._channel,
            "ts": part.ts,
            "text": blocks.notification(text),
            "blocks": layout,
        }
        try:
            await workspace.api.write("chat.update", **arguments)
        except SlackRefused as exc:
            if exc.error == "streaming_state_conflict":  # begun by an earlier run
                part.streaming = True
                await self._stop_stream(workspace, part)
                await workspace.api.write("chat.update", **arguments)
            elif exc.error in GONE:
                self._held.pop(number, None)
                await self._post(workspace, number, text, layout)
                return
            else:
                raise
        part.text = text

    async def _complete(self, workspace: Workspace, number: int) -> None:
        """Give a part its final form: one that no longer grows has no button."""
        part = self._held[number]
        text = part.text or ""
        if part.text is not None and await self._stop_stream(workspace, part):
            return
        await self._stop_stream(workspace, part)
        await self._update(workspace, number, part, text, blocks.part(text))

    # -- the end ------------------------------------------------------------------------------

    @property
    def last_text(self) -> str:
        """The text of the last part that was shown."""
        part = self._held.get(self.shown - 1)
        return (part.text or "") if part is not None else ""

    async def finish(self, workspace: Workspace, text: str, receipt: list[blocks.Block]) -> None:
        """Give the last part its final text and its receipt; delete the parts after it."""
        last = max(self.shown - 1, 0)
        part = await self._made(workspace, last)
        layout = blocks.final(text, receipt)
        if part is None:
            await self._post(workspace, last, text, layout)
        elif not await self._finish_stream(workspace, part, text, receipt):
            await self._stop_stream(workspace, part)
            await self._update(workspace, last, part, text, layout)
        await self._remove(workspace, after=last)
        workspace.api.rates.untrack(self)

    async def _finish_stream(
        self, workspace: Workspace, part: Part, text: str, receipt: list[blocks.Block]
    ) -> bool:
        if not part.streaming or part.text is None or not text.startswith(part.text):
            return False
        added = _added(part, text) or None
        return await self._stop_stream(workspace, part, markdown_text=added, blocks=receipt)

    async def _remove(self, workspace: Workspace, *, after: int) -> None:
        """Delete the parts that a longer, earlier answer left.

        A revision that was stopped meanwhile may have posted parts since `load`.
        """
        known = await self._replies.of_question(self._message.thread, self._key)
        for number, ts in known.items():
            if number > after and number not in self._held:
                self._held[number] = Part(ts)
        surplus = {number: part for number, part in self._held.items() if number > after}
        for number, part in surplus.items():
            try:
                await workspace.api.write("chat.delete", channel=self._channel, ts=part.ts)
            except SlackRefused as exc:
                log.info("a part of an earlier answer stays: %s", exc)
            del self._held[number]
        if surplus:
            await self._replies.forget_parts(self._message.thread, self._key, from_part=after + 1)


def _added(part: Part, text: str) -> str:
    """What a grown text adds, as it is sent."""
    return blocks.unpinged(text)[len(blocks.unpinged(part.text or "")) :]
