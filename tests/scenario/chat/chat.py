"""A chat platform as people see it: the words that the shared sentences are written in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.core.answer import Answers
from bot.store import Store
from bot.values.messages import ThreadKey
from tests.engines import ScriptedModel
from tests.waiting import until

BOT = "@bot"
BEN = "@ben"
"""Stand for mentions in what is said."""

PictureGiven = tuple[str, bytes]


@dataclass(frozen=True)
class Answer:
    """A message of the bot's, as it is at this moment."""

    id: str
    text: str
    small: str
    """The small text under it."""
    buttons: frozenset[str] = frozenset()


class Chat(Protocol):
    """A platform with the bot in it. Ann (English), Ben (English) and 圭 (Japanese) are there."""

    answers: Answers
    store: Store
    backend: ScriptedModel
    message_limit: int
    """What the platform takes in one message, in its unit."""

    # people
    def say(
        self,
        text: str,
        *pictures: PictureGiven,
        who: str = "ann",
        thread: str | None = None,
        told: bool = True,
        minutes_ago: float = 0,
    ) -> str:
        """Somebody writes in the channel, or in a thread. Returns: the message."""
        ...

    def direct(self, text: str, *pictures: PictureGiven, told: bool = True) -> str:
        """Ann writes to the bot alone. Returns: where the answer is to be looked for."""
        ...

    def open_thread(self, text: str, *pictures: PictureGiven, told: bool = True) -> str:
        """Ann begins a thread that is no question. Returns: the thread."""
        ...

    def edit(self, message: str, text: str, *, thread: str | None = None) -> None: ...

    def delete(self, message: str, *, thread: str | None = None) -> None: ...

    def press(self, answer: Answer, button: str, *, who: str = "ann") -> None:
        """``stop``, ``again``, ``good`` or ``bad``."""
        ...

    def presets(self, answer: Answer) -> list[str]:
        """What the menu under an answer offers."""
        ...

    def choose_preset(self, answer: Answer, preset: str, *, who: str = "ann") -> None: ...

    async def ask_about(self, message: str, question: str) -> None:
        """Ann chooses “Ask about this picture” and fills the modal in."""
        ...

    def choose_ask(self, message: str) -> None:
        """Ann chooses “Ask about this picture”."""
        ...

    def open_modals(self) -> int:
        """So many are open, of anybody."""
        ...

    def fill_in(self, question: str) -> None:
        """Ann fills in the modal that is open."""
        ...

    def downloads(self) -> int:
        """So many files has the bot fetched from the platform."""
        ...

    def command(self, words: str, *, who: str = "ann", thread: str | None = None) -> None:
        """The slash command, with words after it."""
        ...

    def change_setting(self, name: str, value: str, *, who: str = "ann") -> None:
        """A channel's setting, changed in words."""
        ...

    def mention(self, who: str) -> str:
        """Somebody's mention, as the platform has it."""
        ...

    async def choose_settings(self, *, who: str = "ann", **values: str) -> None:
        """The settings' modal, filled in."""
        ...

    async def open_settings(self, *, who: str = "ann") -> Callable[..., object]:
        """The settings' modal, open. Returns: sends it with the fields that are changed."""
        ...

    def another_bot_says(self, text: str) -> None: ...

    # what is seen
    def seen(self, place: str) -> list[Answer]:
        """The bot's messages in a thread (or where a direct answer is), oldest first."""
        ...

    def files(self, place: str) -> list[tuple[str, bytes]]:
        """Files in the bot's messages in a thread: (name, content)."""
        ...

    def may_not_post_files(self) -> None: ...

    def told(self) -> list[str]:
        """Sentences that were no answers: to commands, to who may not ask."""
        ...

    def longest_message(self) -> int:
        """Of the bot's, in the platform's unit."""
        ...

    def thread_key(self, thread: str) -> ThreadKey: ...

    # faults
    async def quiet(self) -> None:
        """Return when every event so far has been handled and no question is in flight."""
        ...

    def everything_is_told_twice(self) -> None: ...

    async def reconnect_and_tell_again(self, message: str) -> None:
        """The connection breaks, and what was told before is told again."""
        ...

    async def looked_for_missed(self) -> None:
        """Return when the messages of the time before have been looked through."""
        ...


RunningChat = Callable[..., AbstractAsyncContextManager[Chat]]


def landed(chat: Chat, place: str) -> list[Answer]:
    """Answers in their final form."""
    return [it for it in chat.seen(place) if "again" in it.buttons]


async def answered(chat: Chat, place: str, *, times: int = 1) -> Answer:
    """Wait until so many answers have landed. Returns: the last one."""
    await until(lambda: len(landed(chat, place)) >= times, timeout_s=60)
    return landed(chat, place)[-1]


async def says(chat: Chat, place: str, text: str) -> None:
    """Wait until the last message there is this, in its final form."""
    await until(lambda: [it.text for it in landed(chat, place)][-1:] == [text], timeout_s=60)


async def quiet(chat: Chat) -> None:
    """Wait until every event so far has been handled and no question is in flight."""
    await chat.quiet()


@dataclass
class Place:
    """What a test runs its bots on: they come and go, the platform and the state stay."""

    folder: Path
    backend: ScriptedModel
    run: Callable[..., AbstractAsyncContextManager[Any]]

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[Chat]:
        """A bot, for as long as the context lasts."""
        async with self.run(self.folder, self.backend, **options) as chat:
            yield chat
