"""Everything that the page can show, in both themes, sizes and languages, before axe's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.accessibility import COLOURS, overflow_px, small_targets, violations
from tests.scenario.page.tour import DESK, PHONE, Look, touring

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


NARROW = {"width": 320, "height": 640}  # as a desk's page at 400 %


@pytest.mark.parametrize(
    "options",
    [pytest.param(DESK, id="desk-en"), pytest.param(PHONE, id="phone-ja", marks=pytest.mark.heavy)],
)
async def test_nothing_that_the_page_shows_breaks_a_rule_of_axe(
    tmp_path: Path, browser: Browser, options: dict[str, object]
) -> None:
    broken: dict[str, list[str]] = {}
    async with touring(tmp_path, browser, **options) as tour:
        async for look in tour.looks():
            found = await violations(look.page, "light", part=look.new)
            found += await violations(look.page, "dark", part=look.new, rules=COLOURS)
            if tour.is_phone:
                found += await touch(look)
            if found:
                broken[look.name] = found
    assert broken == {}


async def touch(look: Look) -> list[str]:
    """What a finger would miss, and how far the page is too wide for a small phone."""
    found = await small_targets(look.page, part=look.new)
    if "menu" not in look.name:  # one closes when the window changes
        size = look.page.viewport_size
        await look.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        too_wide_px = await overflow_px(look.page)
        await look.page.set_viewport_size(size)  # type: ignore[arg-type]
        found += [f"{too_wide_px} px too wide"] if too_wide_px > 0 else []
    return found
