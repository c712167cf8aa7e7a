"""Who asks, and when: the questions of a team at its busiest."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """How a team asks. Assumed, not measured: put your own figures in."""

    users: int
    questions_per_user: float = 20.0
    """In a working day; somebody who asks a chat bot all day."""
    working_hours: float = 9.0
    """Over which the mean is taken."""
    peak: float = 2.5
    """The busiest minute over the mean of the working hours."""
    new_pictures: float = 0.4
    """Share of questions that begin a thread with a new picture; the others follow up."""
    gap_s: float = 60.0
    """From one question of a thread to the next: exponentially distributed."""
    mean_tokens: float = 150.0
    """Of an answer: exponentially distributed, at most `most_tokens`."""
    most_tokens: int = 512

    def rate(self, at_s: float) -> float:
        """Questions per second at a time of the day: a bell, highest at noon."""
        working_s = self.working_hours * HOUR_S
        highest = self.peak * self.users * self.questions_per_user / working_s
        sigma_s = working_s / self.peak / math.sqrt(2 * math.pi)  # the day's questions lie below it
        return highest * math.exp(-(((at_s - DAY_S / 2) / sigma_s) ** 2) / 2)


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    at_s: float
    thread: int
    has_new_picture: bool
    """Whether it begins the thread."""
    tokens: int
    """Of its answer."""


def questions(team: Team, *, begin_s: float, end_s: float, seed: int) -> list[Question]:
    """The questions of a time of the day, in their order.

    Threads begin as a Poisson process whose rate follows the day (by thinning); a thread has a
    geometric number of follow-ups.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation is no cryptography
    highest = team.rate(DAY_S / 2) * team.new_pictures
    asked: list[Question] = []
    at_s, thread = begin_s, 0
    while (at_s := at_s + chance.expovariate(highest)) < end_s:
        if chance.random() * highest >= team.rate(at_s) * team.new_pictures:
            continue
        thread += 1
        asked_s, is_first = at_s, True
        while asked_s < end_s:
            tokens = math.ceil(chance.expovariate(1 / team.mean_tokens))
            asked.append(Question(asked_s, thread, is_first, min(max(tokens, 1), team.most_tokens)))
            if chance.random() < team.new_pictures:
                break
            asked_s, is_first = asked_s + chance.expovariate(1 / team.gap_s), False
    return sorted(asked, key=lambda question: question.at_s)
