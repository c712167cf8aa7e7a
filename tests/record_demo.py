"""Record the README's animation: `python -m tests.record_demo`.

The real bot answers, on the real page. What is recorded is each state of the page, not its time:
however slow the machine is, the animation runs at the same pace.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

from inference.serving.fleet import Devices
from tests.photos import SAMPLES
from tests.pocket_page import ANSWERED, answers, loaded_pocket, opened_playground

TARGET = Path(__file__).parents[1] / "docs" / "demo.webp"
WIDTH, HEIGHT = 960, 720
MAX_BYTES = 1_500_000
QUESTIONS = ("What is in this picture?", "What colour is it?")

KEY_MS, STREAM_MS, PAUSE_MS, END_MS = 55, 130, 1100, 3500


@dataclass
class Film:
    """Pictures of a page, each with how long it is shown."""

    page: Page
    frames: list[bytes] = field(default_factory=list)
    durations_ms: list[int] = field(default_factory=list)

    async def shoot(self, duration_ms: int) -> None:
        """Take a picture; one that looks like the last is not taken twice."""
        png = await self.page.screenshot(animations="disabled", caret="hide")
        if self.frames and png == self.frames[-1]:
            return
        self.frames.append(png)
        self.durations_ms.append(duration_ms)

    def hold(self, duration_ms: int) -> None:
        """Show the last picture for so long."""
        self.durations_ms[-1] = duration_ms

    def animation(self) -> bytes:
        """An animated WebP that begins again at its end."""
        first, *rest = [Image.open(io.BytesIO(png)).convert("RGB") for png in self.frames]
        written = io.BytesIO()
        first.save(
            written,
            format="webp",
            save_all=True,
            append_images=rest,
            duration=self.durations_ms,
            loop=0,
            quality=82,
            method=4,
        )
        return written.getvalue()


async def ask(film: Film, question: str, *, number: int) -> None:
    """Type a question, send it and record its answer while it grows."""
    page = film.page
    for end in range(2, len(question) + 1, 2):
        await page.fill("#question", question[:end])
        await film.shoot(KEY_MS)
    await page.fill("#question", question)
    await film.shoot(KEY_MS)
    film.hold(PAUSE_MS // 2)
    await page.press("#question", "Enter")
    while await page.locator(ANSWERED).count() < number:
        await film.shoot(STREAM_MS)
    await answers(page, number)
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(400)  # the last picture's fade
    await film.shoot(STREAM_MS)
    film.hold(PAUSE_MS * 2)


async def record(devices: Devices, state: Path) -> Film:
    """A picture, a question, a follow-up."""
    async with opened_playground(devices, state, width=WIDTH, height=HEIGHT, scale=1) as page:
        await page.set_input_files("#file-input", SAMPLES / "coffee.jpg")
        await page.fill("#question", QUESTIONS[0])
        await page.press("#question", "Enter")
        await answers(page, 1)  # a thread that stands in the list, before the film begins
        await page.click("#new-thread")
        await page.wait_for_timeout(500)
        film = Film(page)
        await film.shoot(PAUSE_MS)
        await page.set_input_files("#file-input", SAMPLES / "cat.jpg")
        await page.wait_for_timeout(500)
        await film.shoot(PAUSE_MS)
        for number, question in enumerate(QUESTIONS, start=1):
            await ask(film, question, number=number)
        film.hold(END_MS)
        return film


def main() -> None:
    """Load the model, record, write."""
    with loaded_pocket() as (devices, state):
        film = asyncio.run(record(devices, state))
    animation = film.animation()
    assert len(animation) <= MAX_BYTES, f"{len(animation)} bytes are too many for a README"
    TARGET.write_bytes(animation)


if __name__ == "__main__":
    main()
