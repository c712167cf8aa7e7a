"""What becomes of a person's message, on every chat: a question, a command, or nothing.

One thread's messages are handled one by one: addressed to the bot? → a command, or a question that
this person may ask here → the core. An edit revises its question, and a deletion erases it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from cachetools import LRUCache

from bot.core.addressing import Addressing, MessageFacts
from bot.core.commands import ALWAYS, Command, parse
from bot.core.erasure import Erasure
from bot.errors import ShuttingDown, UserFacingError
from bot.platforms.chat.removals import Removals
from bot.platforms.chat.thread_locks import ThreadLocks
from bot.platforms.platform import Core
from bot.store import Replies, StoreFailed
from bot.values.messages import Author, Exchange, IncomingMessage, MessageKey, ThreadKey

log = logging.getLogger(__name__)

MAX_DELETED = 10_000


class NotTaken(Exception):
    """Nothing was done about an event: a shutdown came first, and the next start finds it."""


class ChatMessage(Protocol):
    """A message of a person, as far as every chat has it."""

    @property
    def key(self) -> MessageKey: ...

    @property
    def thread(self) -> ThreadKey: ...

    @property
    def author(self) -> Author: ...

    @property
    def sent_at(self) -> float:
        """Seconds since 1970."""
        ...

    @property
    def is_direct(self) -> bool:
        """Written to the bot alone."""
        ...

    @property
    def mentions_bot(self) -> bool: ...

    @property
    def mentions_others(self) -> bool: ...

    @property
    def text(self) -> str:
        """Without the bot's mention."""
        ...


M = TypeVar("M", bound=ChatMessage)
M_contra = TypeVar("M_contra", bound=ChatMessage, contravariant=True)


class IntakeHooks(Protocol[M_contra]):
    """What intake leaves to the adapter."""

    async def author_of(self, message: M_contra) -> Author:
        """The author with all that lists of who may ask look at; it never raises."""
        ...

    async def question_of(self, message: M_contra, author: Author) -> IncomingMessage:
        """The message as a question."""
        ...

    def exchange(self, question: IncomingMessage) -> Exchange:
        """For a question of this adapter's."""
        ...

    async def run_command(self, command: Command, message: M_contra) -> None:
        """Run a command, of somebody who may, and say what was done."""
        ...

    async def tell(self, message: M_contra, sentence: str, **values: Any) -> None:
        """Say a sentence of the catalogue to the message's author; it never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a message."""

    is_addressed: bool
    command: Command | None = None
    """One that is still to be run."""


IGNORED = Handled(is_addressed=False)


class Intake(Generic[M]):
    """Takes messages in. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        core: Core,
        addressing: Addressing,
        erasure: Erasure,
        replies: Replies,
        removals: Removals,
        hooks: IntakeHooks[M],
        in_background: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._core = core
        self._addressing = addressing
        self._erasure = erasure
        self._replies = replies
        self._removals = removals
        self._hooks = hooks
        self._in_background = in_background
        self._deleted: LRUCache[MessageKey, None] = LRUCache(MAX_DELETED)
        self.locks = ThreadLocks()
        self.is_open = True
        """False during a shutdown: the adapter then drops new events."""

    # -- messages -----------------------------------------------------------------------------

    async def on_message(self, message: M, *, from_history: bool = False) -> Handled:
        """Handle a message in its thread's turn, and run the command that it may be.

        `from_history`: found later. Commands are not run then: they leave no claim, and what was
        forgotten before a restart must not be forgotten again after it.

        Raises: NotTaken.
        """
        async with self.locks.of(message.thread):
            handled = await self.handle(message, from_history=from_history)
        if handled.command is not None and not from_history:
            await self._hooks.run_command(handled.command, message)
        return handled

    async def handle(self, message: M, *, from_history: bool) -> Handled:
        """Ask, if it is a question. The caller holds the thread's lock, and runs a command.

        Raises: NotTaken.
        """
        if message.key in self._deleted:
            return IGNORED
        addressed = await self._addressing.is_for_the_bot(
            MessageFacts(
                thread=message.thread,
                sent_at=message.sent_at,
                direct=message.is_direct,
                mentions_bot=message.mentions_bot,
                mentions_others=message.mentions_others,
            )
        )
        if not addressed:
            return IGNORED
        command = parse(message.text)
        author = await self._hooks.author_of(message)
        failure = None
        try:
            refusal = await self._refusal(command, message, author)
        except StoreFailed as failed:  # nobody can tell who may ask here
            refusal, failure = None, failed
        if refusal is not None:
            # No refusal to a user who did not call on the bot, nor long after.
            if not from_history and (message.mentions_bot or message.is_direct):
                self._refuse(message, refusal)
            return Handled(is_addressed=True)
        if command is None:
            await self._ask(message, author, failure)
        return Handled(is_addressed=True, command=command)

    async def _refusal(self, command: Command | None, message: M, author: Author) -> str | None:
        """Why this person may not do it; whom a channel's admins left out may still command."""
        if command is None:
            return await self._core.may_ask(message.thread, author)
        if command in ALWAYS or self._core.access.allows(message.thread, author):
            return None
        return "not_allowed"

    def _refuse(self, message: M, refusal: str) -> None:
        """Say that this person may not ask, if that is to be said now."""
        if self._core.access.says_no(message.thread, message.author):
            self._tell(message, refusal)

    async def _ask(self, message: M, author: Author, failure: StoreFailed | None) -> None:
        question = await self._hooks.question_of(message, author)
        if message.key in self._deleted:
            return  # meanwhile
        try:
            self._core.ask(question, self._hooks.exchange(question), failure=failure)
        except ShuttingDown:
            raise NotTaken from None
        except UserFacingError as refusal:
            self._tell(message, refusal.key, **refusal.values)

    def _tell(self, message: M, sentence: str, **values: Any) -> None:
        """In the background: the thread's next message need not wait for it."""
        self._in_background(self._hooks.tell(message, sentence, **values))

    # -- edits and deletions ------------------------------------------------------------------

    async def on_edit(self, message: M) -> bool:
        """Have an edited question answered anew.

        Returns: whether the message is to be handled as a new one: it mentions the bot, and was
        no question before.

        Raises: NotTaken.
        """
        is_question = False
        try:
            async with self.locks.of(message.thread):
                is_question = await self._core.latest(message.key) is not None
                author = await self._hooks.author_of(message)
                if is_question and await self._core.may_ask(message.thread, author) is None:
                    question = await self._hooks.question_of(message, author)
                    await self._core.revise(question, self._hooks.exchange(question))
        except ShuttingDown:
            raise NotTaken from None
        except UserFacingError as refusal:
            if is_question or message.mentions_bot:
                self._tell(message, refusal.key, **refusal.values)
            return False
        return not is_question and message.mentions_bot

    async def on_delete(self, key: MessageKey) -> list[str]:
        """Forget a message that was deleted, a question or not. Returns: as `forget`."""
        self._deleted[key] = None
        latest = await self._core.latest(key)
        return [] if latest is None else await self.forget(latest)

    async def forget(self, question: IncomingMessage) -> list[str]:
        """Stop and erase a question that is no longer there.

        Returns: the bot's messages for it, which the adapter deletes.
        """
        await self._erasure.stop(question.key)
        messages = await self._replies.messages_of(question.thread, question.key)
        await self._removals.record(question.key, messages)
        await self._erasure.question(question.key)
        return messages
