"""Slots go round the people who wait."""

from __future__ import annotations

import asyncio

import pytest

from bot.images.decoding.fair_slots import FairSlots, NoRoom


def slots(*, max_waiting: int = 10) -> FairSlots[str]:
    return FairSlots(["slot"], max_waiting=max_waiting)


async def test_one_person_with_many_waits_no_longer_than_each_of_the_others() -> None:
    one = slots()
    served: list[str] = []

    async def use(person: str) -> None:
        slot = await one.acquire(person)
        served.append(person)
        await asyncio.sleep(0)
        one.release(slot)

    people = ["greedy"] * 5 + ["ann", "bob"]
    await asyncio.gather(*(use(person) for person in people))
    assert served[:4] == ["greedy", "greedy", "ann", "bob"]
    assert served.count("greedy") == 5


async def test_where_too_many_wait_the_last_of_the_one_with_most_gives_way() -> None:
    full = slots(max_waiting=3)
    await full.acquire("greedy")
    greedy = [asyncio.create_task(full.acquire("greedy")) for _ in range(3)]
    await asyncio.sleep(0)
    ann = asyncio.create_task(full.acquire("ann"))
    await asyncio.sleep(0)
    with pytest.raises(NoRoom):
        await greedy[2]
    with pytest.raises(NoRoom):
        await full.acquire("greedy")
    full.release("slot")
    assert await greedy[0] == "slot"
    full.release("slot")
    assert await ann == "slot"
    greedy[1].cancel()


async def test_a_slot_is_not_lost_with_somebody_who_leaves() -> None:
    one = slots()
    slot = await one.acquire("ann")
    gone = asyncio.create_task(one.acquire("bob"))
    left = asyncio.create_task(one.acquire("cem"))
    await asyncio.sleep(0)
    left.cancel()  # while it waits
    await asyncio.sleep(0)
    one.release(slot)
    gone.cancel()  # with the slot already given to it
    await asyncio.gather(gone, left, return_exceptions=True)
    assert one.num_waiting == 0
    assert await asyncio.wait_for(one.acquire("ann"), 30) == "slot"
