"""What a visitor of a demo sees, as the page gets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.servers.demo.markup.nodes import Nodes


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody, or the bot."""

    id: str
    name: str
    is_bot: bool = False
    colour: str = ""
    """The name of a role's colour in the page's style; empty for the common one."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where messages are, in the sidebar."""

    id: str
    kind: Literal["channel", "direct", "voice", "forum"]
    name: str
    topic: str = ""


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A thread of a place; where a message has the same id, it began under that message."""

    id: str
    place: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Control:
    """A button under a message."""

    label: str
    value: str
    """What pressing it sends."""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A file of a message."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a message: text, small text, pictures or buttons, in their order."""

    kind: Literal["text", "small", "pictures", "controls", "rule"]
    nodes: Nodes = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message."""

    id: str
    place: str
    thread: str = ""
    """Empty in the place itself."""
    author: str
    time: float
    parts: list[Part] = field(default_factory=list)
    raw: str = ""
    """The text to edit, as it was typed."""
    edited: bool = False
    only_you: bool = False
    """An ephemeral message: nobody else sees it."""
    is_note: bool = False
    """The app's own words, rather than somebody's."""
    pending: bool = False
    """The bot has said that an answer will come."""
    used: str = ""
    """Who used which command: “Ann used /ask”."""
    reactions: dict[str, list[str]] = field(default_factory=dict)
    """Emoji → the people who chose it."""


@dataclass(frozen=True, kw_only=True)
class Working:
    """What the bot does in a thread, or in a place itself."""

    place: str
    thread: str
    status: str
    can_stop: bool = False


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a slash command."""

    name: str
    description: str
    is_file: bool = False
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class SlashCommand:
    """What typing `/` offers."""

    name: str
    """With its slash and subcommand: `/llava help`."""
    description: str
    usage: str = ""
    options: list[Option] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a modal."""

    id: str
    label: str
    value: str = ""
    placeholder: str = ""
    options: list[tuple[str, str]] = field(default_factory=list)
    """(label, value); empty for a text."""


@dataclass(frozen=True, kw_only=True)
class Modal:
    """A modal that is open in one tab of one visitor."""

    id: str
    title: str
    submit: str
    close: str
    text: str = ""
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that a visitor sees."""

    app: Literal["slack", "discord"]
    workspace: str
    me: str
    """Empty before the visitor has chosen a name."""
    bot: str
    presence: Literal["starting", "active", "away"]
    people: list[Person]
    places: list[Place]
    threads: list[Thread] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    working: list[Working] = field(default_factory=list)
    commands: list[SlashCommand] = field(default_factory=list)
    menu: list[str] = field(default_factory=list)
    """The bot's entries in the menu of a message."""
    modal: Modal | None = None


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who looks: a person, in one tab of their browser."""

    user: str
    tab: str


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that a visitor sends."""

    name: str
    data: bytes
    option: str = ""
    """The option of a slash command that it is for."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a visitor sends from a composer."""

    text: str
    uploads: list[Upload] = field(default_factory=list)
    place: str
    thread: str = ""
    command: str = ""
    """The slash command, with its subcommand: `/llava help`. The text is its question or words."""
    title: str = ""
    """Of a new post in a forum."""
