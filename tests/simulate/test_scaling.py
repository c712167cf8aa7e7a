"""The simulation obeys what every queue obeys."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.simulate.cards import SimulatedCard
from tests.simulate.figures import Card, measured
from tests.simulate.load import DAY_S, Question, Team, questions
from tests.simulate.scaling import MEASURED_S, bot_processes, fewest_cards, serve, simulate

CARD = Card(
    name="slow",
    steps=((1, 0.05), (4, 0.06), (16, 0.1)),
    new_picture_s=0.4,
    follow_up_s=0.1,
    cached_threads=1000,
)
NOON = DAY_S / 2
TEAM = Team(users=400)


def single(at_s: float = 0.0, *, tokens: int = 1, thread: int = 1) -> Question:
    return Question(at_s, thread, True, tokens)


def test_figures_are_those_of_the_document() -> None:
    cards = measured()
    assert len(cards) == 7
    card = cards["H100 7B bf16"]
    assert card.step_s(32) == pytest.approx(32 / 3243)
    assert card.step_s(1) < card.step_s(12) < card.step_s(64)
    assert (card.new_picture_s, card.follow_up_s) == pytest.approx((0.0187, 0.009))
    assert card.cached_threads == 122


def test_alone_a_question_takes_its_prefill_and_its_steps() -> None:
    card = SimulatedCard(CARD)
    request = card.ask(single(10.0, tokens=101))
    card.drain()
    assert request.first_s == pytest.approx(10.4)
    assert request.ended_s == pytest.approx(10.4 + 100 * 0.05)


def test_a_thread_that_is_cached_is_not_read_again_and_one_that_was_pushed_out_is() -> None:
    card = SimulatedCard(replace(CARD, cached_threads=1))
    cached = [card.ask(single(at_s)) for at_s in (0.0, 10.0)]
    pushed = [card.ask(single(at_s, thread=thread)) for at_s, thread in ((20.0, 2), (30.0, 1))]
    card.drain()
    took = [request.first_s - request.arrived_s for request in cached + pushed]
    assert took == pytest.approx([0.4, 0.1, 0.4, 0.4])


@pytest.mark.parametrize("num_cards", [1, 3])
def test_littles_law_holds(num_cards: int) -> None:
    outcome = simulate(TEAM, CARD, num_cards)
    assert outcome.questions > 500
    assert outcome.in_system_s == pytest.approx(outcome.spent_s, rel=1e-6)


def test_more_cards_are_never_slower() -> None:
    outcomes = [simulate(TEAM, CARD, num_cards) for num_cards in (1, 2, 4, 8)]
    firsts = [outcome.first_p95_s for outcome in outcomes]
    spent = [outcome.spent_s for outcome in outcomes]
    assert firsts == sorted(firsts, reverse=True)
    assert spent == sorted(spent, reverse=True)


def test_more_users_never_need_fewer_cards_and_one_card_less_is_too_few() -> None:
    found = [fewest_cards(replace(TEAM, users=users), CARD).cards for users in (50, 400)]
    assert found == sorted(found)
    assert found[-1] > 1
    assert not simulate(replace(TEAM, users=400), CARD, found[-1] - 1).suffices


def test_prefills_alone_wait_as_long_as_queueing_theory_says() -> None:
    # M/D/1: answers of one token, so that a card only prefills, 0.6 of its time.
    chance = random.Random(3)  # noqa: S311 - a simulation is no cryptography
    service_s, load, at_s = 0.4, 0.6, 0.0
    asked: list[Question] = []
    for thread in range(15_000):
        at_s += chance.expovariate(load / service_s)
        asked.append(single(at_s, thread=thread))
    outcome = serve(asked, replace(CARD, new_picture_s=service_s), 1, begin_s=0)
    expected_s = service_s + load * service_s / (2 * (1 - load))
    assert outcome.spent_s / len(asked) == pytest.approx(expected_s, rel=0.06)


def test_every_process_has_its_share_of_the_questions() -> None:
    assert bot_processes(0.1, 150) == 1
    assert bot_processes(20, 150) > bot_processes(5, 150)


def test_the_days_questions_add_up_and_peak_at_noon() -> None:
    team = Team(users=100)
    asked = questions(team, begin_s=0, end_s=DAY_S, seed=1)
    assert len(asked) == pytest.approx(100 * 20, rel=0.1)
    at_noon = sum(abs(one.at_s - NOON) < MEASURED_S / 2 for one in asked)
    assert at_noon > sum(abs(one.at_s - NOON / 2) < MEASURED_S / 2 for one in asked)
    assert sum(one.has_new_picture for one in asked) / len(asked) == pytest.approx(0.4, abs=0.05)
