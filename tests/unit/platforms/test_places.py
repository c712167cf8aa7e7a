"""Places for those who send files: bounded, shared, and never lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from bot.platforms.web.gate import places as module
from bot.platforms.web.gate.places import (
    MAX_PER_PERSON,
    MAX_PER_SENDER,
    MAX_PLACES,
    AllTaken,
    Places,
)


async def take(places: Places, stack: AsyncExitStack, sender: str, person: str) -> None:
    async with asyncio.timeout(30):
        await stack.enter_async_context(places.taken(sender, person))


async def fails(places: Places, sender: str, person: str) -> bool:
    try:
        async with places.taken(sender, person):
            return False
    except AllTaken:
        return True


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.1)


async def test_a_person_an_address_and_all_together_have_their_bounds() -> None:
    places = Places()
    async with AsyncExitStack() as stack:
        for _ in range(MAX_PER_PERSON):
            await take(places, stack, "10.0.0.1", "ann")
        assert await fails(places, "10.0.0.2", "ann")
        assert not await fails(places, "10.0.0.1", "bob")
        for number in range(MAX_PER_SENDER - MAX_PER_PERSON):
            await take(places, stack, "10.0.0.1", f"person {number}")
        assert await fails(places, "10.0.0.1", "bob")
        assert not await fails(places, "10.0.0.2", "bob")
        for number in range(MAX_PLACES - MAX_PER_SENDER):
            await take(places, stack, f"10.0.1.{number}", f"other {number}")
        assert await fails(places, "10.0.0.2", "bob")
    assert not places._taken
    assert not places._waiting


async def test_who_waits_behind_a_greedy_person_is_not_held_up_by_them() -> None:
    places = Places()
    async with AsyncExitStack() as stack:
        for _ in range(MAX_PER_PERSON):
            await take(places, stack, "10.0.0.1", "ann")
        waiting = [asyncio.create_task(fails(places, "10.0.0.1", "ann")) for _ in range(20)]
        await asyncio.sleep(0)
        await take(places, stack, "10.0.0.1", "bob")
        assert all(await asyncio.gather(*waiting))


async def test_a_place_that_becomes_free_goes_to_who_has_waited_longest() -> None:
    places = Places()
    order: list[int] = []

    async def wait(number: int) -> None:
        async with places.taken("10.0.0.1", "ann"):
            order.append(number)

    async with AsyncExitStack() as stack:
        for _ in range(MAX_PER_PERSON):
            await take(places, stack, "10.0.0.1", "ann")
        tasks = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]


async def test_who_leaves_while_waiting_or_as_they_are_admitted_keeps_no_place() -> None:
    places = Places()

    async def wait() -> None:
        async with places.taken("10.0.0.1", "ann"):
            pytest.fail("cancelled before it began")

    async with AsyncExitStack() as stack:
        for _ in range(MAX_PER_PERSON):
            await take(places, stack, "10.0.0.1", "ann")
        waiting, admitted = (asyncio.create_task(wait()) for _ in range(2))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        await stack.pop_all().aclose()
        admitted.cancel()
        await asyncio.gather(waiting, admitted, return_exceptions=True)
    assert not places._taken
    assert not places._waiting
