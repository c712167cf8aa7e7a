"""What the store gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from bot.values.cleaning import clean_words
from bot.values.documents import StoredDocument, StoredPage
from bot.values.messages import Outcome, Receipt, ThreadKey
from bot.values.pictures import Sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPicture:
    """A picture of a thread. Its bytes are read with `Store.read_picture`."""

    digest: str
    suffix: str
    """``png`` or ``jpg``."""
    file: str
    """Where its bytes are, for the store alone."""
    number: int
    """In the thread, from 1."""
    name: str = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    width_px: int
    height_px: int
    sheet: Sheet | None = None
    """The frames on it, if it is made of several."""
    page: StoredPage | None = None
    """Of a document, where it is a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GonePicture:
    """A picture of a thread that had to make room for newer ones."""

    number: int
    """In the thread, from 1."""
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A normalised picture as it is on disk."""

    digest: str
    suffix: str
    """``png`` or ``jpg``."""
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question and its latest answer."""

    message: str
    author_name: str = field(repr=False)
    question: str = field(repr=False)
    outcome: Outcome | None
    """`None`: it has not been answered yet."""
    answer: str | None = field(repr=False)
    receipt: Receipt
    pictures: tuple[StoredPicture, ...]
    gone: tuple[GonePicture, ...] = ()
    documents: tuple[StoredDocument, ...] = ()
    """Sent with it."""
    may_pass: bool = True
    """Of a refused one: whether it may succeed when it is asked again."""
    model: str = ""
    """That answered; empty where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedTurn:
    """A question whose answer people have rated."""

    row: int
    thread: ThreadKey
    turn: Turn
    before: tuple[Turn, ...]
    """What was said in its thread before."""
    good: int
    """People who found the answer good."""
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSummary:
    """A thread in a list."""

    thread: str
    title: str = field(repr=False)
    touched_at: datetime
    first_picture_number: int | None
    owner: str = ""
    """Who made it; empty where threads belong to their channel."""
    is_shared: bool = False
    """Whether its owner has made a link to it."""
    match: Match | None = None
    """What a search found in its turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A link that lets others into a thread."""

    token: str = field(repr=False)
    can_ask: bool
    """Otherwise they only read."""
    shared_by: str = field(repr=False)
    """The owner's name; empty: they gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Whose a thread is, as one person finds it."""

    owner: str
    share: Share | None
    is_guest: bool
    """Whether this person has opened the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where a searched word stands, with the text around it."""

    place: str
    """``question``, ``answer`` or ``picture`` (its name)."""
    before: str = field(repr=False)
    hit: str = field(repr=False)
    after: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPage:
    """A piece of a list of threads."""

    threads: tuple[ThreadSummary, ...]
    next: str | None
    """Where the next piece begins; `None`: this is the last."""


ChannelPlace: TypeAlias = tuple[str, str, str]
"""(platform, team, channel)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """One setting of a channel that somebody changed."""

    at: datetime
    platform: str
    team: str
    channel: str
    person: str
    """Who; empty where that is not known, or they want to be forgotten."""
    setting: str
    """The field of `ChannelSettings`."""
    before: str = field(repr=False)
    after: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What the admins of a channel have chosen; empty is the bot's default."""

    system_prompt: str = field(default="", repr=False)
    note: str = field(default="", repr=False)
    """Shown under every answer."""
    follow_ups: str = ""
    """``thread`` or ``mention``, as `Settings.follow_ups`."""
    model: str = ""
    """The name of one of several models."""
    language: str = ""
    """The code of the language that answers are in; empty is the question's."""
    people: tuple[str, ...] = ()
    """Who may ask; nobody named is everybody."""
    temperature: float | None = None
    max_new_tokens: int | None = None
    presets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, prompt) of the channel's own questions with a name."""

    def __post_init__(self) -> None:
        """Clean what was written."""
        object.__setattr__(self, "system_prompt", clean_words(self.system_prompt))
        object.__setattr__(self, "note", clean_words(self.note))


@dataclass(frozen=True, slots=True, kw_only=True)
class Participation:
    """The bot's part in a thread."""

    since: float | None
    """When its first question was sent, in seconds since 1970; `None`: it takes no part."""
    muted: bool
    follow_ups: str
    """As chosen for the channel; empty is the bot's default."""
