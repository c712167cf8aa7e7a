"""Pictures that a thread's earlier messages show: a question without its own is about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cachetools import LRUCache

from bot.core.addressing import Addressing
from bot.core.attachments import latest, may_be_picture
from bot.store import Inbox
from bot.values.messages import Attachment, MessageKey, ThreadKey

MAX_READ_THREADS = 10_000


class EarlierPictures:
    """Knows which threads are read, and chooses among their pictures. Lives as long as the adapter.

    A thread is read when every picture it shows came with a question, or has been found before:
    the store has those.
    """

    def __init__(
        self,
        *,
        addressing: Addressing,
        inbox: Inbox,
        limit: int,
        is_shown: Callable[[Attachment], bool],
    ) -> None:
        """
        `limit`: pictures per question.
        `is_shown`: whether a picture was shown as one, so that its file's name means nothing.
        """
        self._addressing = addressing
        self._inbox = inbox
        self._limit = limit
        self._is_shown = is_shown
        self._read: LRUCache[ThreadKey, None] = LRUCache(MAX_READ_THREADS)

    def mark_read(self, thread: ThreadKey) -> None:
        """The thread begins with a question, or its history has been read."""
        self._read[thread] = None

    def mark_unread(self, thread: ThreadKey) -> None:
        """The thread has a message that was no question: it may hold a picture."""
        self._read.pop(thread, None)

    async def is_read(self, thread: ThreadKey) -> bool:
        """Whether the thread's history need not be read for a question."""
        if await self._addressing.has_missed_messages(thread):
            return False
        return thread in self._read

    async def choose(
        self, history: Iterable[tuple[MessageKey, tuple[Attachment, ...]]]
    ) -> tuple[Attachment, ...]:
        """The latest pictures of messages that were no questions.

        Args:
            history: the thread's messages, oldest first, with what each shows.
        """
        shown = [
            [found for found in attachments if self._is_shown(found) or may_be_picture(found)]
            for key, attachments in history
            if attachments and not await self._inbox.knows(key)
        ]
        return tuple(replace(picture, earlier=True) for picture in latest(shown, self._limit))
