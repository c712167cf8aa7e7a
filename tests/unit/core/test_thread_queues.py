"""One queue per thread: first come, first answered; threads do not wait for each other."""

from __future__ import annotations

import asyncio

from bot.core.thread_queues import ThreadQueues
from bot.values.messages import ThreadKey


def thread(name: str) -> ThreadKey:
    return ThreadKey(platform="test", team="", channel="", thread=name)


async def test_questions_run_in_the_order_in_which_their_tickets_were_taken() -> None:
    queues, done = ThreadQueues(), list[int]()

    async def work(number: int, before_s: float) -> None:
        with queues.ticket(thread("a")) as ticket:
            await asyncio.sleep(before_s)  # a slow claim must not lose the turn
            await ticket.wait_for_turn()
            done.append(number)

    await asyncio.gather(*(work(i, 0.02 - i * 0.004) for i in range(5)))
    assert done == [0, 1, 2, 3, 4]


async def test_a_question_sent_earlier_overtakes_waiting_ones_but_not_the_running_one() -> None:
    queues, done = ThreadQueues(), list[float]()

    async def work(sent_at: float) -> None:
        with queues.ticket(thread("a"), sent_at) as ticket:
            await ticket.wait_for_turn()
            await asyncio.sleep(0)
            done.append(sent_at)

    await asyncio.gather(*(work(sent_at) for sent_at in (3.0, 2.0, 4.0, 1.0)))
    assert done == [3.0, 1.0, 2.0, 4.0]


async def test_threads_do_not_wait_for_each_other() -> None:
    queues = ThreadQueues()
    with queues.ticket(thread("a")), queues.ticket(thread("b")) as other:
        async with asyncio.timeout(30):
            await other.wait_for_turn()


async def test_a_returned_ticket_lets_the_next_question_through() -> None:
    queues = ThreadQueues()
    with queues.ticket(thread("a")):
        with queues.ticket(thread("a")):
            pass
        with queues.ticket(thread("a")) as last:
            assert not last.is_called
    assert queues.count == 0
