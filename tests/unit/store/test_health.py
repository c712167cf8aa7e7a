"""The store's health: what is known of an outage, and what the log says of it."""

from __future__ import annotations

import pytest

from bot.store import health, late
from bot.store.health import Outage, Outages
from bot.store.late import LateWrites


def test_an_outage_lasts_from_its_first_failure_whatever_fails_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    outages = Outages(clock=lambda: now[0])
    for reason in ("SQLITE_BUSY", "SQLITE_BUSY", "SQLITE_FULL"):
        outages.failed("write", reason)
        now[0] += 10
    assert outages.current == (Outage("write", "SQLITE_FULL", since=100.0),)
    outages.succeeded("read")
    assert outages.current
    outages.succeeded("write")
    outages.succeeded("write")
    assert not any(outages.current)
    assert caplog.messages == [
        "a write of the store failed: SQLITE_BUSY",
        "a write of the store failed: SQLITE_FULL",
        "a write of the store succeeds again, after 30 s",
    ]


def test_a_store_works_if_no_transaction_fails() -> None:
    assert health.StoreHealth(late_writes=3).works
    assert not health.StoreHealth(outages=(Outage("read", "SQLITE_NOTADB", 0),)).works


async def test_late_writes_beyond_the_bound_are_counted_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(late, "MAX_WAITING", 2)
    writes = LateWrites()
    written: list[int] = []

    async def write(number: int) -> None:
        written.append(number)

    for number in range(4):
        writes.add(lambda number=number: write(number))  # type: ignore[misc]
    assert (len(writes), writes.num_lost) == (2, 2)
    await writes.close()
    assert written == [2, 3]
    assert caplog.messages == ["more than 2 late writes wait: the oldest are lost"]
