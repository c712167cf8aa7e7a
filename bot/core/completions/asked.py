"""A conversation to complete, and how, as an adapter hands it over."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.values.cleaning import clean_words
from bot.values.messages import UserKey
from inference.types import Role


class PictureFile:
    """A file as it came, until it is decoded: an answer may take minutes, and a file megabytes."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data

    def take(self) -> bytes:
        """Return the file, and keep it no longer."""
        data, self._data = self._data, None
        if data is None:
            raise ValueError("a file is taken once")
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMessage:
    """One message of it; its pictures come before its text."""

    role: Role
    text: str = field(repr=False)
    pictures: tuple[PictureFile, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Clean what was written."""
        object.__setattr__(self, "text", clean_words(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCompletion:
    """A conversation that ends with a message of its user; `None` leaves a choice to the bot."""

    user: UserKey
    """Limits and fairness count by it."""
    model: str = ""
    """The name of one of several models."""
    messages: tuple[AskedMessage, ...]
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_new_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = field(default=(), repr=False)
    background: bool = False
    """See `GenerationRequest.background`."""

    @property
    def num_pictures(self) -> int:
        """How many pictures there are in all its messages."""
        return sum(len(message.pictures) for message in self.messages)
