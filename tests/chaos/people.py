"""People who ask on one platform, and what became of their questions."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.pictures import plain_picture


@dataclass
class Question:
    """What somebody asked. `is_accepted`: whether the platform was told that it arrived."""

    id: str
    place: str
    """Where it was asked: a thread, a channel."""
    is_accepted: Callable[[], bool]
    is_deleted: bool = False


@dataclass
class Seen:
    """What a platform shows of the bot's replies."""

    ended: Counter[str] = field(default_factory=Counter)
    """Question → replies that have their final form."""
    unended: set[str] = field(default_factory=set)
    """What stands in a half state: a button to stop, a stream, a status."""


class People(ABC):
    """The people of one platform."""

    name = ""

    def __init__(self, seed: random.Random) -> None:
        self.random = seed
        self.questions: dict[str, Question] = {}
        self.done: Counter[str] = Counter()
        """What they did, by kind."""

    @abstractmethod
    def doings(self) -> dict[str, tuple[int, Callable[[], Any]]]:
        """What they can do: kind → (how often, how)."""

    @abstractmethod
    def seen(self) -> Seen:
        """What the platform shows now."""

    def do_something(self) -> None:
        """One of them does one thing."""
        doings = self.doings()
        kinds = list(doings)
        (kind,) = self.random.choices(kinds, [doings[it][0] for it in kinds])
        if doings[kind][1]() is not False:
            self.done[kind] += 1

    def picture(self) -> bytes:
        """A picture, most of them new to the bot."""
        red, green, blue = (self.random.randrange(256) for _ in range(3))
        return plain_picture((red, green, blue)).data

    def ask(self, id_: str, place: str, is_accepted: Callable[[], bool]) -> None:
        """Note a question."""
        self.questions[id_] = Question(id_, place, is_accepted)

    def ended_questions(self) -> list[Question]:
        """Those that have their end, and were not deleted."""
        ended = self.seen().ended
        return [it for it in self.questions.values() if ended[it.id] == 1 and not it.is_deleted]

    def waiting(self) -> list[str]:
        """What has not come to its end yet."""
        seen = self.seen()
        unanswered = {
            it.id
            for it in self.questions.values()
            if not it.is_deleted and it.is_accepted() and not seen.ended[it.id]
        }
        return sorted(unanswered | seen.unended)

    def problems(self) -> list[str]:
        """Each question that has not exactly one end, once there is quiet."""
        seen = self.seen()
        found = [f"{self.name}: {it} is in a half state" for it in sorted(seen.unended)]
        for question in self.questions.values():
            num_ends = seen.ended[question.id]
            if num_ends > 1:
                found.append(f"{self.name}: {question.id} was answered {num_ends} times")
            if not num_ends and not question.is_deleted and question.is_accepted():
                found.append(f"{self.name}: {question.id} was accepted and lost")
        unknown = [it for it in seen.ended if it not in self.questions]
        return found + [f"{self.name}: {it} was answered and never asked" for it in unknown]
