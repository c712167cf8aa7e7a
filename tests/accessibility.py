"""axe looks at a page: the rules for people who read it by ear, by keyboard or with weak eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

RUN = """async ([part, rules]) => {
    // Colours that are on their way to the other theme's are nobody's.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
    const {violations} = await axe.run(
        part, {resultTypes: ["violations"], preload: false, ...only});
    return violations.flatMap(({id, help, nodes}) =>
        nodes.map(({target, any, all, none}) => {
            const why = [...any, ...all, ...none].map(({message}) => message);
            return [id, target.join(" "), why[0] ?? help].join(" – ");
        }));
}"""

# Links within a text are as high as its lines; a box is ticked by its whole label.
SMALL = """([part, leastPx]) => [...document.querySelectorAll(part)]
    .flatMap((it) => [...it.querySelectorAll("a, button, input, textarea, summary")])
    .filter((it) => it.checkVisibility({visibilityProperty: true}) && !it.closest("[inert]"))
    .filter((it) => !it.matches(".link, .skip, [data-role=answer] a, [type=checkbox]"))
    .map((it) => [it, it.getBoundingClientRect()])
    .filter(([, {width, height}]) => Math.min(width, height) < leastPx - 0.5)
    .map(([it, {width, height}]) => `${it.outerHTML.slice(0, 80)} – ${width} × ${height}`)"""

COLOURS = ("color-contrast", "link-in-text-block")
"""The rules whose outcome depends on the theme."""


async def violations(
    page: Page, theme: Literal["light", "dark"], *, part: str = "html", rules: Sequence[str] = ()
) -> list[str]:
    """What breaks a rule within the elements that `part` selects.

    Without `rules`, all of axe's are looked at, best practices included. Each violation names the
    rule, where the element is, and what is wrong.
    """
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found: Any = await page.evaluate(RUN, [part, list(rules)])
    return [str(violation) for violation in found]


async def small_targets(page: Page, *, part: str = "html", least_px: int = 44) -> list[str]:
    """What a finger would miss within the elements that `part` selects, with its size."""
    found: Any = await page.evaluate(SMALL, [part, least_px])
    return [str(target) for target in found]


async def overflow_px(page: Page) -> int:
    """By how much the page is wider than its window; more than 0, and it scrolls sideways."""
    return int(await page.evaluate("document.documentElement.scrollWidth - innerWidth"))
