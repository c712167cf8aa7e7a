"""One lane a thread: first come, first answered; lanes do not wait for each other."""

from __future__ import annotations

import asyncio

from bot.core.access import Access
from bot.core.thread_queues import Lanes
from bot.errors import Busy
from bot.values.messages import Author, ThreadKey


def thread(name: str) -> ThreadKey:
    return ThreadKey(platform="test", team="", channel="", thread=name)


async def test_the_order_is_the_order_in_which_places_were_taken() -> None:
    lanes, done = Lanes(), list[int]()

    async def work(number: int, before_s: float) -> None:
        with lanes.place(thread("a")) as place:
            await asyncio.sleep(before_s)  # a slow claim must not lose the place
            await place.reached()
            done.append(number)

    await asyncio.gather(*(work(i, 0.02 - i * 0.004) for i in range(5)))
    assert done == [0, 1, 2, 3, 4]


async def test_threads_do_not_wait_for_each_other() -> None:
    lanes = Lanes()
    with lanes.place(thread("a")), lanes.place(thread("b")) as other:
        async with asyncio.timeout(1):
            await other.reached()


async def test_a_place_given_up_lets_the_next_one_through() -> None:
    lanes = Lanes()
    with lanes.place(thread("a")):
        with lanes.place(thread("a")):
            pass
        with lanes.place(thread("a")) as last:
            assert not last._reached.is_set()
    assert lanes._lanes == {}


def test_one_persons_questions_are_bounded_and_counted_down() -> None:
    access = Access(questions_per_user=2)
    ann, bob = Author(id="ann"), Author(id="bob")
    with access.admitted(ann), access.admitted(ann):
        refused = False
        try:
            with access.admitted(ann):
                pass
        except Busy:
            refused = True
        assert refused
        with access.admitted(bob):
            pass
    with access.admitted(ann):
        assert access._under_way["ann"] == 1
    assert not access._under_way
