"""What a question asks for, whatever language it is put in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Kinds of questions."""

    # About what was found.
    WHAT = "what"
    DESCRIBE = "describe"
    WHICH_KIND = "which kind"
    COLOUR = "colour"
    BACKGROUND = "background"
    SURE = "sure"
    GUESS = "guess"
    ELSE = "else"
    OTHER = "other"
    AT = "at"
    COUNT = "count"
    COUNT_ALL = "count all"
    WHERE = "where"
    PRESENCE = "presence"
    IS_IT = "is it"
    IS_COLOURED = "is it coloured"
    IS_AT = "is it at"
    EITHER = "either"
    SHAPE = "shape"
    DRAWN = "drawn"
    WHICH_PICTURE = "which picture"
    SAME = "same"
    """The previous question, about something else."""
    # What it cannot tell.
    WHO = "who"
    WHERE_TAKEN = "where taken"
    WHEN = "when"
    WHY = "why"
    WEATHER = "weather"
    DOING = "doing"
    TEXT = "text"
    PART = "part"
    QUALITY = "quality"
    RELATION = "relation"
    MATHS = "maths"
    LANGUAGE = "language"
    UNKNOWN = "unknown"
    # Not about a picture.
    SELF = "self"
    HELLO = "hello"
    THANKS = "thanks"
    TALK = "talk"
    """For the language model."""


LIMITS: Final = frozenset(
    {
        Kind.WHO, Kind.WHERE_TAKEN, Kind.WHEN, Kind.WHY, Kind.WEATHER, Kind.DOING, Kind.TEXT,
        Kind.PART, Kind.QUALITY, Kind.RELATION, Kind.MATHS, Kind.LANGUAGE, Kind.UNKNOWN,
    }
)  # fmt: skip
CHAT: Final = frozenset({Kind.SELF, Kind.HELLO, Kind.THANKS, Kind.TALK})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: a word, and every name that it is true of."""

    word: str
    names: frozenset[int]
    """Indices into `Vocabulary.names`; empty where the pocket knows no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question."""

    kind: Kind
    subject: Subject | None = None
    """None is the thing that the conversation is about."""
    options: tuple[Subject, ...] = ()
    colours: tuple[int, ...] = ()
    """That it asks for, as indices into COLOURS."""
    place: tuple[int, ...] = ()
    """That it asks for, as indices into PLACES."""
    picture: int | None = None
    """From 1; -1 is the last. None where it names none."""
    shows: bool = False
    """Whether it speaks of a picture, or of something that only a picture can show."""
