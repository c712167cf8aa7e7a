"""How many calls Discord may be shown in a second."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from bot.platforms.discord.api import CALLS_PER_SECOND, PUT_OFF_FROM, Budget
from bot.values.messages import TryLater


async def test_a_call_counts_until_a_second_after_its_end() -> None:
    budget = Budget()
    began = asyncio.Event()

    async def one_more() -> float:
        async with budget.call():
            began.set()
            return time.monotonic()

    async with AsyncExitStack() as in_flight:
        for _ in range(CALLS_PER_SECOND):
            await in_flight.enter_async_context(budget.call())
        waiting = asyncio.create_task(one_more())
        await asyncio.sleep(1.2)  # however long they take
        assert not began.is_set()
        ended = time.monotonic()
    assert await waiting >= ended + 1


async def test_a_call_that_takes_long_takes_nobody_elses_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.platforms.discord.api.LONG_S", 0.1)
    budget = Budget()
    async with AsyncExitStack() as in_flight:
        for _ in range(CALLS_PER_SECOND):
            await in_flight.enter_async_context(budget.call())
        async with asyncio.timeout(30), budget.call():
            pass
    with pytest.raises(TryLater):  # they have only now come through
        async with budget.call(urgent=False):
            pass


async def test_what_can_wait_is_put_off_while_many_call() -> None:
    budget = Budget()
    for _ in range(PUT_OFF_FROM):
        async with budget.call():
            pass
    with pytest.raises(TryLater):
        async with budget.call(urgent=False):
            pass
    async with budget.call():
        pass


async def test_a_call_that_fails_counts_like_any_other() -> None:
    budget = Budget()
    for _ in range(PUT_OFF_FROM):
        with pytest.raises(ZeroDivisionError):
            async with budget.call():
                raise ZeroDivisionError
    with pytest.raises(TryLater):
        async with budget.call(urgent=False):
            pass
