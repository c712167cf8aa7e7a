"""Keys are named, long, compared whole, and never shown; each has its quotas."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from bot.configuration import read_configuration
from bot.platforms.api import API, check
from bot.platforms.api.errors import ApiRefusal
from bot.platforms.api.keys import Keys, parse_keys
from bot.platforms.api.quotas import Quotas
from bot.platforms.api.settings import ApiSettings
from bot.platforms.platform import PlatformUnavailable
from bot.store import StoreFailed

ONE, TWO = "0123456789abcdef", "fedcba9876543210=/+"


def test_keys_are_found_by_the_whole_of_them() -> None:
    keys = Keys(parse_keys(f"Home={ONE}, lab={TWO}"))
    assert [keys.name_of(given) for given in (ONE, TWO, ONE[:-1], f"{ONE}x", "", "キー")] == [
        "home",
        "lab",
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    "given",
    [
        "",
        ",",
        ONE,
        "home=short",
        f"a b={ONE}",
        f"x={ONE},x={TWO}",
        f"x={ONE},y={ONE}",
        "x=キー" * 9,
    ],
)
def test_a_wrong_list_of_keys_is_told_without_a_word_of_it(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValidationError) as refused:
        ApiSettings.model_validate({"keys": given})
    assert ONE not in str(refused.value)
    if given:
        monkeypatch.setenv("API_KEYS", given)
        (problem,) = [one for one in read_configuration().problems if one.startswith("API_KEYS")]
        assert "(set in the environment)" in problem
        assert ONE not in problem


def test_settings_never_show_a_key_and_a_port_needs_one() -> None:
    settings = ApiSettings.model_validate({"port": 1, "keys": f"home={ONE}"})
    assert ONE not in f"{settings!r}{settings}{settings.named_keys}{settings.model_dump()}"
    check(settings)
    assert API.is_set_up(settings)
    assert not API.is_set_up(ApiSettings.model_validate({}))
    with pytest.raises(PlatformUnavailable, match="API_KEYS"):
        check(ApiSettings.model_validate({"port": 1}))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def none_used(_name: str) -> int:
    return 0


async def let_through(quotas: Quotas, name: str = "home") -> ApiRefusal | None:
    try:
        async with quotas.admitted(name):
            return None
    except ApiRefusal as refusal:
        return refusal


async def test_a_minute_is_the_last_sixty_seconds() -> None:
    clock = Clock()
    quotas = Quotas(none_used, at_once=5, per_minute=2, monotonic=clock)
    for later_s, retry_s in ((0, None), (40, None), (10, 10), (10, None), (0, 40), (40, None)):
        clock.now += later_s
        refusal = await let_through(quotas)
        assert (refusal and refusal.retry_s) == retry_s
    assert await let_through(quotas, "lab") is None


async def test_a_clock_that_is_set_back_makes_nobody_wait_longer() -> None:
    clock, monotonic = Clock(), Clock()
    quotas = Quotas(none_used, at_once=5, per_minute=1, clock=clock, monotonic=monotonic)
    assert await let_through(quotas) is None
    clock.now -= 86_400
    refusal = await let_through(quotas)
    assert refusal is not None
    assert refusal.retry_s == 60
    monotonic.now += 60
    assert await let_through(quotas) is None


async def test_requests_that_wait_for_the_store_count_in_their_minute() -> None:
    asked = asyncio.Event()

    async def used(_name: str) -> int:
        await asked.wait()
        return 0

    quotas = Quotas(used, at_once=5, per_minute=1, per_day=9, clock=Clock())
    first = asyncio.create_task(let_through(quotas))
    await asyncio.sleep(0)
    assert await let_through(quotas) is not None
    asked.set()
    assert await first is None


async def test_a_day_counts_what_the_store_knows_and_what_it_cannot_know_yet() -> None:
    clock, stored = Clock(), 0

    async def used(_name: str) -> int:
        if stored < 0:
            raise StoreFailed(OSError("locked"))
        return stored

    quotas = Quotas(used, at_once=5, per_day=2, clock=clock)
    assert await let_through(quotas) is None
    stored = -1
    assert await let_through(quotas) is None
    refusal = await let_through(quotas)
    assert refusal is not None
    assert refusal.status == 429
    assert refusal.retry_s == 86_400 - 1_000_000 % 86_400
    clock.now += 86_400
    stored = 2  # of another process
    assert await let_through(quotas) is not None
    stored = 1
    assert await let_through(quotas) is None
