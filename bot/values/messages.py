"""The values that cross between a platform and the core.

Ids are opaque: only the adapter that made them may parse them. What people write is cleaned where
its value is made, so that no adapter can forget it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from bot.values.cleaning import clean_name, clean_words
from bot.values.usage import NOTHING_SPENT, Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadKey:
    """A thread of a chat."""

    platform: str
    team: str
    channel: str
    thread: str

    @property
    def place(self) -> tuple[str, str, str]:
        """(platform, team, channel)."""
        return self.platform, self.team, self.channel

    @property
    def id_everywhere(self) -> str:
        """One string that no other thread has."""
        return _joined(self.platform, self.team, self.channel, self.thread)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKey:
    """A person on a platform: limits and fairness count by it."""

    platform: str
    id: str

    @property
    def id_everywhere(self) -> str:
        """One string that nobody else has."""
        return _joined(self.platform, self.id)


def _joined(*parts: str) -> str:
    """Parts in one string; different parts never give the same one."""
    return "/".join(quote(part, safe=":") for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKey:
    """A message of a chat: what a question is claimed by."""

    platform: str
    team: str
    channel: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who asks."""

    id: str
    name: str = field(default="", repr=False)
    team: str = ""
    """The workspace of their own, where a channel is shared between several."""
    roles: tuple[str, ...] = ()
    """What they are in their team, where the platform has roles."""

    def __post_init__(self) -> None:
        """Clean the name."""
        object.__setattr__(self, "name", clean_name(self.name))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Author:
        """From the inbox."""
        return cls(**data | {"roles": tuple(data.get("roles", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message; its bytes are fetched through the `Exchange`."""

    name: str = field(repr=False)
    ref: str = field(repr=False)
    """Where the adapter finds it; opaque."""
    size_bytes: int | None = None
    earlier: bool = False
    """It came with an earlier message of the thread, which was not a question."""
    kind: str = ""
    """Where its platform says that it is not a picture, the text key of what it is: the file is
    named to the user and not fetched."""
    aside: bool = False
    """A link's preview, not sent by the user: the question works without it."""

    def __post_init__(self) -> None:
        """Clean the name."""
        object.__setattr__(self, "name", clean_name(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage:
    """One message addressed to the bot, stripped of its platform."""

    key: MessageKey
    thread: ThreadKey
    author: Author
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    locale: str = "en"
    sent_at: float = 0
    """Seconds since 1970: of two questions that wait, the earlier one goes first."""
    edited_at: float = 0
    """Seconds since 1970; the later of two versions of a question counts."""
    revision: int = 0
    """Counts up when the same question is to be answered anew; each revision is claimed once."""
    again: bool = False
    """The same question about the same pictures; only a new answer is wanted."""
    keeps_pictures: bool = False
    """Other words about the pictures that its turn has; without a turn, about its attachments."""
    asked_by: str = ""
    """Who asks it again, if not its author: bounds and turns are theirs. Not kept."""
    context: dict[str, str] = field(default_factory=dict, repr=False, hash=False)
    """How and where it was asked, for the adapter that made it; opaque to the core."""

    @property
    def log_id(self) -> str:
        """What the log calls it: the same after a restart and in every process."""
        key = self.key
        parts = (key.platform, key.team, key.channel, key.message, str(self.revision))
        return hashlib.sha256(_joined(*parts).encode()).hexdigest()[:12]

    @property
    def user(self) -> UserKey:
        """The person who asks."""
        return UserKey(platform=self.key.platform, id=self.asked_by or self.author.id)

    def __post_init__(self) -> None:
        """Clean the words; those that nobody can see are none."""
        object.__setattr__(self, "text", clean_words(self.text))
        object.__setattr__(self, "locale", clean_name(self.locale))

    def to_json(self) -> dict[str, Any]:
        """For the inbox."""
        return {name: value for name, value in asdict(self).items() if name != "asked_by"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> IncomingMessage:
        """The reverse of `to_json`."""
        return cls(
            **data
            | {
                "key": MessageKey(**data["key"]),
                "thread": ThreadKey(**data["thread"]),
                "author": Author.from_json(data["author"]),
                "attachments": tuple(Attachment(**item) for item in data["attachments"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPicture:
    """A picture the answer is about."""

    number: int
    """Its number in the thread, from 1."""
    name: str = field(repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    """What was done to it (shrunk, first frame), as sentences for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an answer used and what it left out, in the user's language."""

    pictures: tuple[ReceiptPicture, ...] = ()
    skipped: tuple[str, ...] = field(default=(), repr=False)
    """One sentence for each picture that could not be used."""
    dropped: tuple[str, ...] = field(default=(), repr=False)
    """What no longer fits the model's context."""
    notes: tuple[str, ...] = field(default=(), repr=False)
    """How the answer ended, where that is worth a word."""

    def to_json(self) -> dict[str, Any]:
        """For the store and for adapters."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Receipt:
        """The reverse of `to_json`."""
        return cls(
            pictures=tuple(
                ReceiptPicture(**item | {"notes": tuple(item["notes"])})
                for item in data["pictures"]
            ),
            **{name: tuple(data[name]) for name in ("skipped", "dropped", "notes")},
        )


class Stage(StrEnum):
    """What the user waits for."""

    LOADING = "loading"
    """The model is not there yet."""
    QUEUED = "queued"
    READING = "reading"
    ANSWERING = "answering"


@dataclass(frozen=True, slots=True)
class Status:
    """How far a question is. `position` is its place in the queue, 1 the next to run."""

    stage: Stage
    position: int | None = None


class Outcome(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    STOPPED = "stopped"
    """By the user; the text is the answer so far."""
    REFUSED = "refused"
    """The text is a sentence that says what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A file beside an answer."""

    name: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LongText:
    """What a chat shows in place of an answer that is too long for its messages."""

    file: TextFile
    beside_file: str = field(repr=False)
    """The answer where the file stands beside it."""
    without_file: str = field(repr=False)
    """The answer where no file can be posted: its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of every accepted question."""

    outcome: Outcome
    text: str = field(repr=False)
    receipt: Receipt
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds: ``first_token_s``, ``total_s``; empty when the model did not run."""
    claimed: bool = True
    """False: the question could not be written down, and nothing of it was begun."""
    may_pass: bool = True
    """Of a refused question: whether it may succeed when it is asked again."""
    reason: str = ""
    """Of a refused question: the key of its sentence."""
    long: LongText | None = None
    """For platforms whose messages are short; `None`: the text is shown wherever it is."""
    spent: Spent = NOTHING_SPENT


def as_it_is(text: str, _complete: bool) -> str:
    """Markdown for a platform that reads it."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLimits:
    """What one message of the platform holds, how it is written, and how often it is edited."""

    max_length: int | None = None
    """In the platform's unit; `None` is no limit."""
    measure: Callable[[str], int] = len
    """Length of a text in the platform's unit."""
    render: Callable[[str, bool], str] = as_it_is
    """The answer's Markdown, as the platform writes it, before it is measured and split.
    False: the text still grows, and its end may mean something else with the next word."""
    pace_s: float = 0.05
    """Seconds between two edits."""
    refusal_pace_s: float = 0
    """Seconds between two of one user's refusals, where each takes from a rate that all share."""


class TryLater(Exception):
    """The platform takes no more calls just now. Raised by `Exchange.show`, `attach`, `end`."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"try again in {after_s:g} s")
        self.after_s = after_s


class Exchange(Protocol):
    """One question and its reply, as the adapter offers them. Lives as long as the answer.

    Only one task ever calls `status`, `show`, `attach` and `end`, one call at a time.
    """

    @property
    def limits(self) -> ReplyLimits:
        """Of one message of the reply."""
        ...

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        """The message with what the platform had to be asked for.

        That is the author's name and language and, unless it is asked again, the pictures it is
        about. Called once: after the claim, or to tell the user that there can be no answer.
        """
        ...

    def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The attachment's bytes, in pieces.

        Raises:
            OSError: they cannot be had.
            PictureRefused: they cannot be had, and its sentence says more.
        """
        ...

    async def status(self, status: Status) -> None:
        """Show what the user waits for."""
        ...

    async def show(self, part: int, text: str) -> None:
        """Make or edit the reply's message number `part` (from 0) to hold this text.

        Raises:
            TryLater: not now; the writer comes back with the latest text.
        """
        ...

    async def attach(self, file: TextFile) -> bool:
        """Post a file beside the reply; called before `end`, where messages have a `max_length`.

        Returns: false where no file can be posted.

        Raises:
            TryLater: not now.
        """
        ...

    async def end(self, ending: Ending) -> None:
        """The last call.

        Every part already holds its final text, unless the question was refused: then nothing
        more was shown, and the sentence in `ending.text` is shown here.
        """
        ...
