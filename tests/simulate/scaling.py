"""What 100, 1,000 and 10,000 users need: `python -m tests.simulate.scaling [--card CARD]`.

Questions arrive as a Poisson process with a bell over the working day (`load.py`); its busiest
half hour is simulated, behind ten minutes that fill the queues. Cards serve as they were measured
(`figures.py`, `cards.py`). A thread stays on its card; a new one goes to the card with the fewest
requests, as with DEVICES, or to one by chance, as with several addresses (`--by-chance`).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

from tests.simulate.cards import Request, SimulatedCard
from tests.simulate.figures import Card, measured
from tests.simulate.load import DAY_S, HOUR_S, Question, Team, questions

MEASURED_S = HOUR_S / 2
FILLING_S = 600.0
FIRST_TOKEN_S = 1.0
"""Enough cards: 95 of 100 questions have their first word within this time, …"""
TOKENS_PER_S = 15.0
"""… and 95 of 100 answers are written at least this fast: faster than anybody reads."""
MOST_CARDS = 512
BOT_BUSY = 0.5
"""Share of a processor's core that a bot's process may use at the busiest: its loop stays quick."""
QUESTION_CPU_S = 0.070
"""Of the bot, for a question in Slack with what belongs to it: docs/scaling.md, measured."""
TOKEN_CPU_S = 0.00005
"""Of the bot, for a token that a server streams: docs/scaling.md, measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a number of cards served a team at its busiest."""

    cards: int
    questions: int
    per_s: float
    first_p50_s: float
    first_p95_s: float
    tokens_per_s_p5: float
    """Of the slowest twentieth of answers; those of a single token have no speed."""
    in_system_s: float
    """Requests that wait or run, times seconds, as the cards have counted them."""
    spent_s: float
    """The same, as the requests have: by Little's law no other number."""
    in_flight_most: int
    """Requests that wait or run at once, at most."""

    @property
    def suffices(self) -> bool:
        """Whether people are served well."""
        return self.first_p95_s <= FIRST_TOKEN_S and self.tokens_per_s_p5 >= TOKENS_PER_S


def simulate(
    team: Team, card: Card, num_cards: int, *, seed: int = 1, by_chance: bool = False
) -> Outcome:
    """Serve the busiest half hour."""
    begin_s = DAY_S / 2 - MEASURED_S / 2
    asked = questions(team, begin_s=begin_s - FILLING_S, end_s=begin_s + MEASURED_S, seed=seed)
    return serve(asked, card, num_cards, begin_s=begin_s, seed=seed, by_chance=by_chance)


def serve(
    asked: Sequence[Question],
    card: Card,
    num_cards: int,
    *,
    begin_s: float,
    seed: int = 1,
    by_chance: bool = False,
) -> Outcome:
    """Serve these questions; what arrives before `begin_s` only fills queues and caches."""
    chance = random.Random(seed)  # noqa: S311 - a simulation is no cryptography
    cards = [SimulatedCard(card) for _ in range(num_cards)]
    homes: dict[int, SimulatedCard] = {}
    requests: list[Request] = []
    for question in asked:
        home = homes.get(question.thread)
        if home is None:
            home = chance.choice(cards) if by_chance else _least_loaded(cards, question.at_s)
            homes[question.thread] = home
        requests.append(home.ask(question))
    for one in cards:
        one.drain()
    counted = [request for request in requests if request.arrived_s >= begin_s]
    firsts = [request.first_s - request.arrived_s for request in counted]
    speeds = [
        (request.tokens - 1) / (request.ended_s - request.first_s)
        for request in counted
        if request.tokens > 1
    ]
    return Outcome(
        cards=num_cards,
        questions=len(counted),
        per_s=len(counted) / MEASURED_S,
        first_p50_s=_quantile(firsts, 50),
        first_p95_s=_quantile(firsts, 95),
        tokens_per_s_p5=_quantile(speeds, 5) if speeds else inf,
        in_system_s=sum(one.in_system_s for one in cards),
        spent_s=sum(request.ended_s - request.arrived_s for request in requests),
        in_flight_most=_most_at_once(counted),
    )


def _least_loaded(cards: Sequence[SimulatedCard], at_s: float) -> SimulatedCard:
    for one in cards:
        one.advance(at_s)
    return min(cards, key=lambda one: one.load)


def fewest_cards(team: Team, card: Card, *, seed: int = 1, by_chance: bool = False) -> Outcome:
    """The smallest number of cards that suffices, found by halving. Raises: ValueError."""
    low, high = 0, 1
    while not (best := simulate(team, card, high, seed=seed, by_chance=by_chance)).suffices:
        low, high = high, high * 2
        if high > MOST_CARDS:
            raise ValueError(f"more than {MOST_CARDS} cards")
    while high - low > 1:
        middle = (low + high) // 2
        outcome = simulate(team, card, middle, seed=seed, by_chance=by_chance)
        if outcome.suffices:
            high, best = middle, outcome
        else:
            low = middle
    return best


def bot_processes(per_s: float, tokens: float) -> int:
    """Bot processes for so many questions per second, each answered in so many tokens."""
    return max(ceil(per_s * (QUESTION_CPU_S + tokens * TOKEN_CPU_S) / BOT_BUSY), 1)


def _quantile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def _most_at_once(requests: Sequence[Request]) -> int:
    changes = sorted(
        [(request.arrived_s, 1) for request in requests]
        + [(request.ended_s, -1) for request in requests]
    )
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def main() -> None:
    """Print what each size needs."""
    cards = measured()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--card", nargs="+", default=[*cards], choices=[*cards])
    parser.add_argument("--questions", type=float, default=20, help="per user and day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--by-chance", action="store_true")
    options = parser.parse_args()
    print(
        "| card and model | users | questions/s | cards | first token p50 / p95 | "
        "tokens/s, slowest 5% | bot processes | connections to servers |\n"
        f"{'|---' * 8}|"
    )
    for name in options.card:
        for users in options.users:
            team = Team(users=users, questions_per_user=options.questions)
            found = fewest_cards(team, cards[name], seed=options.seed, by_chance=options.by_chance)
            print(
                f"| {name} | {users:,} | {found.per_s:.2f} | {found.cards} | "
                f"{found.first_p50_s * 1000:.0f} / {found.first_p95_s * 1000:.0f} ms | "
                f"{found.tokens_per_s_p5:.0f} | "
                f"{bot_processes(found.per_s, team.mean_tokens)} | {found.in_flight_most} |"
            )


if __name__ == "__main__":
    main()
