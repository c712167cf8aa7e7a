"""Which pictures a question is about, and their bytes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from bot.core.addressing import Addressing
from bot.errors import PictureRefused
from bot.images.file_names import short_name
from bot.platforms.chat.earlier_pictures import EarlierPictures
from bot.platforms.slack.api import SlackRefused, SlackUnreachable, reason
from bot.platforms.slack.event_copies import EventCopies
from bot.platforms.slack.events import (
    Event,
    is_own,
    message_key,
)
from bot.platforms.slack.origin import AskedBy, Origin
from bot.platforms.slack.pictures.links import IsLoginPage, Links, NotThere
from bot.platforms.slack.pictures.places import attachments_of, file_attachment, is_shown
from bot.platforms.slack.shapes import well_formed_file
from bot.platforms.slack.workspaces import Workspace
from bot.store import Store
from bot.values.messages import Attachment, IncomingMessage, MessageKey, ThreadKey

log = logging.getLogger(__name__)

UPLOAD_PAUSES_S = (0.5, 1, 2)
MESSAGES_PER_PAGE = 200
FILES_SCOPE = "files:read"
NO_SUCH_FILE = frozenset({"file_deleted", "file_not_found"})


class Pictures:
    """Finds and fetches pictures. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        store: Store,
        addressing: Addressing,
        links: Links,
        fetch_links: bool,
        pictures_per_question: int,
    ) -> None:
        self.copies = EventCopies()
        self._links = links
        self._fetch_links = fetch_links
        self.earlier = EarlierPictures(
            addressing=addressing,
            inbox=store.inbox,
            limit=pictures_per_question,
            is_shown=is_shown,
        )

    def of_event(self, event: Event) -> tuple[Attachment, ...]:
        """A message's own attachments."""
        return attachments_of(event, links=self._fetch_links)

    # -- which --------------------------------------------------------------------------------

    async def find(self, message: IncomingMessage, workspace: Workspace) -> tuple[Attachment, ...]:
        """The pictures a question is about: its own, else earlier ones of its thread."""
        try:
            found = await self._own(message, workspace)
            if all(attachment.aside for attachment in found) and not await self._knows(message):
                found = (*found, *await self._earlier(message, workspace))
                self.earlier.mark_read(message.thread)
        except (SlackRefused, SlackUnreachable) as exc:
            # The question can be answered all the same: the model says what it lacks.
            log.warning("earlier messages could not be read: %s", reason(exc))
            found = message.attachments
        return tuple([await self._with_address(attachment, workspace) for attachment in found])

    async def _own(self, message: IncomingMessage, workspace: Workspace) -> tuple[Attachment, ...]:
        origin = Origin.of(message)
        if origin.asked_by is AskedBy.MODAL:
            return await self._of_modal(message, origin.about, workspace)
        if message.attachments:
            return message.attachments
        known = await self.copies.attachments(message.key)
        if known is not None:
            return known
        return await self._of_message(message.thread, message.key.message, workspace)

    async def _of_modal(
        self, message: IncomingMessage, about: str, workspace: Workspace
    ) -> tuple[Attachment, ...]:
        """Pictures of the message that a modal is about, then those that its text links to."""
        shown = await self._of_message(message.thread, about, workspace)
        refs = {attachment.ref for attachment in shown}
        linked = [attachment for attachment in message.attachments if attachment.ref not in refs]
        # That message may be a question of this thread: then its pictures are known.
        return (*(replace(attachment, earlier=True) for attachment in shown), *linked)

    async def _of_message(
        self, thread: ThreadKey, ts: str, workspace: Workspace
    ) -> tuple[Attachment, ...]:
        page = await workspace.api.read(
            "conversations.replies",
            channel=thread.channel,
            ts=thread.thread,
            oldest=ts,
            latest=ts,
            inclusive="true",
            limit=10,
        )
        event = next((event for event in page["messages"] if event.get("ts") == ts), None)
        return self.of_event(event) if event else ()

    async def _knows(self, message: IncomingMessage) -> bool:
        """Whether every picture of the thread so far came with a question of its own."""
        if message.key.message == message.thread.thread:
            return True
        return await self.earlier.is_read(message.thread)

    async def _earlier(
        self, message: IncomingMessage, workspace: Workspace
    ) -> tuple[Attachment, ...]:
        """Pictures of the thread's messages that were not questions, the latest ones."""
        found = await self.earlier.choose(await self._history_before(message, workspace))
        addressed = [await self._with_address(attachment, workspace) for attachment in found]
        # What was a stub may turn out to be anything.
        return tuple(attachment for attachment in addressed if not attachment.kind)

    async def _history_before(
        self, question: IncomingMessage, workspace: Workspace
    ) -> list[tuple[MessageKey, tuple[Attachment, ...]]]:
        """Messages in the thread before a question that are not the bot's, with what each shows.

        The authors do not matter: apps, webhooks and people who may not ask show pictures too.
        """
        thread, cursor = question.thread, ""
        history = []
        while True:
            page = await workspace.api.read(
                "conversations.replies",
                channel=thread.channel,
                ts=thread.thread,
                limit=MESSAGES_PER_PAGE,
                cursor=cursor or None,
            )
            for event in page["messages"]:
                ts = str(event["ts"])
                bots_own = is_own(event, bot_user=workspace.bot_user, bot=workspace.bot)
                if not bots_own and float(ts) < question.sent_at:
                    key = message_key(thread.team, thread.channel, ts)
                    history.append((key, self.of_event(event)))
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return history

    # -- bytes --------------------------------------------------------------------------------

    async def _with_address(self, attachment: Attachment, workspace: Workspace) -> Attachment:
        """Look a stub up until its upload has arrived."""
        ref = json.loads(attachment.ref)
        if attachment.kind or "link" in ref or ref.get("url") or ref.get("gone"):
            return attachment
        for pause_s in (0, *UPLOAD_PAUSES_S):
            await asyncio.sleep(pause_s)
            try:
                info = await workspace.api.read("files.info", file=ref["file"])
            except (SlackRefused, SlackUnreachable) as exc:
                log.warning("files.info failed: %s", reason(exc))
                return replace(attachment, ref=json.dumps(ref | _why_not(exc)))
            found = file_attachment(well_formed_file(info.get("file")))
            found_ref = json.loads(found.ref)
            if found.kind or any(found_ref.get(name) for name in ("url", "link", "gone")):
                return replace(found, earlier=attachment.earlier)
        return attachment

    async def open(self, attachment: Attachment, workspace: Workspace) -> AsyncIterator[bytes]:
        """See `Exchange.open`."""
        ref = json.loads(attachment.ref)
        name = short_name(attachment.name)
        if ref.get("gone"):
            raise PictureRefused("slack_file_gone", name=name)
        if ref.get("missing_scope"):
            raise PictureRefused("slack_scope_missing", name=name, scope=ref["missing_scope"])
        try:
            pieces = self._bytes(ref, workspace, size_bytes=attachment.size_bytes)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
        except IsLoginPage:
            if FILES_SCOPE in await workspace.api.current_scopes():
                raise PictureRefused("slack_file_withheld", name=name) from None
            raise PictureRefused("slack_scope_missing", name=name, scope=FILES_SCOPE) from None

    async def _bytes(
        self, ref: dict[str, str], workspace: Workspace, *, size_bytes: int | None
    ) -> AsyncGenerator[bytes, None]:
        if "link" in ref:
            async for piece in self._links.fetch(ref["link"]):
                yield piece
            return
        if not ref.get("url"):
            raise FileNotFoundError(ref.get("file"))
        for pause_s in (*UPLOAD_PAUSES_S, None):
            try:
                async for piece in self._links.fetch(
                    ref["url"], token=workspace.token, size_bytes=size_bytes
                ):
                    yield piece
            except NotThere:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)  # the upload may not be finished
            else:
                return


def _why_not(exc: SlackRefused | SlackUnreachable) -> dict[str, str]:
    """What a file's reference says of a failed look-up."""
    if not isinstance(exc, SlackRefused):
        return {}
    if exc.error in NO_SUCH_FILE:
        return {"gone": "1"}
    return {"missing_scope": exc.needed}
