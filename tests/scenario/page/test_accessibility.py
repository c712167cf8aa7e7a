"""Everything that the page can show, in both themes, sizes and languages, before axe's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.accessibility import COLOURS, violations
from tests.scenario.page.tour import DESK, PHONE, touring

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk-en", "phone-ja"])
async def test_nothing_that_the_page_shows_breaks_a_rule_of_axe(
    tmp_path: Path, browser: Browser, options: dict[str, object]
) -> None:
    broken: dict[str, list[str]] = {}
    async with touring(tmp_path, browser, **options) as tour:
        async for look in tour.looks():
            found = await violations(look.page, "light", part=look.new)
            found += await violations(look.page, "dark", part=look.new, rules=COLOURS)
            if found:
                broken[look.name] = found
    assert broken == {}
