"""What is kept no longer is erased, unless the clock may be wrong."""

from __future__ import annotations

from bot.sweep import INTERVAL_S, ClockWatch, Sweep

MONTH_S = 30 * 86400


class Clocks:
    """A wall clock that may be set, and a steady one."""

    def __init__(self) -> None:
        self.wall_s = 1_800_000_000.0
        self.steady_s = 5.0
        self.erased_at: list[float] = []

    def sweep(self) -> Sweep:
        return Sweep(self._erase, ClockWatch(lambda: self.wall_s, lambda: self.steady_s))

    async def _erase(self) -> None:
        self.erased_at.append(self.steady_s)

    async def an_hour_later(self, sweep: Sweep, *, set_by_s: float = 0) -> bool:
        """Whether it erases then."""
        self.wall_s += INTERVAL_S + set_by_s
        self.steady_s += INTERVAL_S
        await sweep.run()
        return self.steady_s in self.erased_at


async def test_a_sweep_at_the_start_and_each_hour_erases() -> None:
    clocks = Clocks()
    sweep = clocks.sweep()
    await sweep.run()
    assert clocks.erased_at == [5.0]
    assert await clocks.an_hour_later(sweep)


async def test_a_clock_that_was_put_forward_erases_nothing_for_an_hour() -> None:
    clocks = Clocks()
    sweep = clocks.sweep()
    assert not await clocks.an_hour_later(sweep, set_by_s=MONTH_S)
    assert not await clocks.an_hour_later(sweep, set_by_s=MONTH_S)
    assert await clocks.an_hour_later(sweep)


async def test_a_clock_that_is_set_right_again_within_the_hour_erases_on() -> None:
    clocks = Clocks()
    sweep = clocks.sweep()
    assert not await clocks.an_hour_later(sweep, set_by_s=MONTH_S)
    assert await clocks.an_hour_later(sweep, set_by_s=-MONTH_S)


async def test_small_corrections_of_the_clock_change_nothing() -> None:
    clocks = Clocks()
    sweep = clocks.sweep()
    assert await clocks.an_hour_later(sweep, set_by_s=30)
    assert await clocks.an_hour_later(sweep, set_by_s=-30)
