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
