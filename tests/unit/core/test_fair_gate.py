"""Turns go round among users, however many questions one of them has."""

from __future__ import annotations

import asyncio

import pytest

from bot.core.bounds.fair_gate import FairGate
from bot.values.messages import UserKey


def user(name: str) -> UserKey:
    return UserKey(platform="chat", id=name)


class Visit:
    """A question before the gate."""

    def __init__(self, gate: FairGate, name: str, order: list[str]) -> None:
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._go(gate, name, order))

    async def _go(self, gate: FairGate, name: str, order: list[str]) -> None:
        async with gate.turn(user(name)):
            order.append(name)
            await self.done.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def let_through(visits: list[Visit]) -> None:
    for visit in visits:
        visit.done.set()
    await asyncio.gather(*(visit.task for visit in visits))


async def test_a_user_with_five_hundred_questions_holds_up_another_by_one() -> None:
    order: list[str] = []
    gate = FairGate(1)
    flood = [Visit(gate, "ann", order) for _ in range(500)]
    await settle()
    others = [Visit(gate, name, order) for name in ("bob", "cid")]
    await let_through(flood + others)
    assert order[:5] == ["ann", "ann", "bob", "cid", "ann"]
    assert len(order) == 502


async def test_of_those_who_wait_the_one_with_the_fewest_inside_goes_first() -> None:
    order: list[str] = []
    gate = FairGate(2)
    first, *rest = [Visit(gate, "ann", order) for _ in range(3)]
    await settle()
    other = Visit(gate, "bob", order)
    await let_through([first])
    await settle()
    assert order == ["ann", "ann", "bob"]
    await let_through([*rest, other])


async def test_one_user_never_fills_the_gate() -> None:
    order: list[str] = []
    gate = FairGate(3, per_user=2)
    flood = [Visit(gate, "ann", order) for _ in range(5)]
    await settle()
    assert order == ["ann", "ann"]
    other = Visit(gate, "bob", order)
    await settle()
    assert order == ["ann", "ann", "bob"]
    await let_through([*flood, other])


@pytest.mark.parametrize("inside", [True, False])
async def test_one_that_gives_up_frees_its_place(inside: bool) -> None:
    order: list[str] = []
    gate = FairGate(1)
    visits = [Visit(gate, "ann", order) for _ in range(3)]
    await settle()
    gone = visits.pop(0 if inside else 1)
    gone.task.cancel()
    await asyncio.gather(gone.task, return_exceptions=True)
    await let_through(visits)
    assert len(order) == (3 if inside else 2)
    assert gate.is_empty


async def test_one_that_gives_up_in_the_moment_it_is_let_in_frees_its_place() -> None:
    order: list[str] = []
    gate = FairGate(1)
    first, second, third = (Visit(gate, name, order) for name in ("ann", "bob", "cid"))
    await settle()
    first.done.set()
    await asyncio.sleep(0)  # the first has left, the second does not know yet that it is in
    second.task.cancel()
    await asyncio.gather(second.task, return_exceptions=True)
    await let_through([first, third])
    assert gate.is_empty
