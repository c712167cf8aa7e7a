"""The protocols between an adapter and the core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from bot.core.access import Access
from bot.errors import UserFacingError
from bot.values.messages import Author, Exchange, IncomingMessage, MessageKey, ThreadKey
from bot.values.turns import ChannelPlace
from inference.progress import LoadProgress
from inference.types import ModelInfo


class PlatformUnavailable(Exception):
    """An adapter cannot run; each of `problems` is one sentence that names the remedy."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return " ".join(self.problems)


class Core(Protocol):
    """What adapters ask of the core (`bot.core.answer.Answers`)."""

    @property
    def model(self) -> ModelInfo | None:
        """The model that answers; `None` until it is loaded."""
        ...

    @property
    def model_names(self) -> tuple[str, ...]:
        """What the models are called, the default's first; empty where there is only one."""
        ...

    async def preset_names(self, locale: str, place: ChannelPlace | None = None) -> list[str]:
        """The questions with a name that somebody of this language is offered.

        `place`: in a channel, whose own come first.
        """
        ...

    @property
    def reads_pictures(self) -> bool:
        """Whether text in pictures is read for the models."""
        ...

    @property
    def load_progress(self) -> LoadProgress | None:
        """How far the load of the model is; `None` once it is done."""
        ...

    async def loaded(self) -> ModelInfo:
        """Wait for the model. Raises: ModelUnavailable: the process is about to end."""
        ...

    async def may_ask(self, thread: ThreadKey, author: Author) -> str | None:
        """Whether this person may ask there: `None`, or the key of the sentence why not.

        Raises: StoreFailed: nobody can tell now.
        """
        ...

    def ask(
        self,
        message: IncomingMessage,
        exchange: Exchange,
        *,
        failure: UserFacingError | None = None,
    ) -> asyncio.Task[bool]:
        """Answer a question in a task of its own. Raises: Busy.

        `failure`: why it cannot be taken; it ends with that sentence.
        """
        ...

    def resume(self, message: IncomingMessage, exchange: Exchange) -> asyncio.Task[bool]:
        """Answer a question that an earlier run left unfinished."""
        ...

    async def latest(self, key: MessageKey) -> IncomingMessage | None:
        """The latest version of a question; `None`: it is none, or forgotten."""
        ...

    async def revise(
        self, message: IncomingMessage, exchange: Exchange
    ) -> asyncio.Task[bool] | None:
        """Answer an edited question again; `None` when there is nothing to do. Raises: Busy."""
        ...

    async def ask_again(
        self, key: MessageKey, exchange_for: Callable[[IncomingMessage], Exchange], *, by: str
    ) -> asyncio.Task[bool] | None:
        """Answer a question once more, for the person `by`; `None` when there is nothing to do.

        Raises: Busy.
        """
        ...

    async def recorded(self, key: MessageKey) -> bool:
        """Wait until a question that was asked is claimed, or has ended without a claim.

        Before that, its platform is not told that it has arrived: a crash would lose it. Returns:
        false if it ended without a word, as in a shutdown.
        """
        ...

    async def stop(self, key: MessageKey) -> bool:
        """Stop a question, waiting or running, in whatever process; false: it is not in flight.

        Once this has returned, no later start answers it; acknowledge the stop then. It takes no
        longer than two seconds, whatever the store does.
        """
        ...

    async def first_in_flight(self, thread: ThreadKey) -> MessageKey | None:
        """The thread's first question that has not ended, in whatever process."""
        ...

    @property
    def access(self) -> Access:
        """Who may ask. Adapters ask before they fetch or keep anything."""
        ...


class Platform(Protocol):
    """One adapter. Made by its row in `PLATFORMS`, lives as long as the bot."""

    @property
    def name(self) -> str:
        """As in `MessageKey.platform`."""
        ...

    @property
    def address(self) -> str | None:
        """Where a browser finds it, once started; `None`: nowhere of the bot's own."""
        ...

    def resume(self, message: IncomingMessage) -> None:
        """Answer a question that an earlier run left unfinished, in the reply it had begun."""
        ...

    async def start(self) -> None:
        """Start taking input. Raises: PlatformUnavailable."""
        ...

    async def stop_intake(self) -> None:
        """Stop taking input; replies in flight continue."""
        ...

    async def close(self) -> None:
        """Release everything; safe after a failed start."""
        ...
