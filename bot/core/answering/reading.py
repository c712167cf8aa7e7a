"""The text of a thread's pictures: for the model, or as the answer itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from typing import Final

from bot.core.answering.asked_lines import lines_on
from bot.core.answering.long_text import long_text
from bot.core.answering.pictured_text import is_needed
from bot.core.presets import Presets
from bot.errors import UserFacingError
from bot.images.reading.pool import ReadingPool
from bot.store import StoredPicture, Turn
from bot.texts import say
from bot.values.messages import Ending, Outcome, Receipt, ReceiptPicture
from bot.values.readings import Reading
from inference.types import Limitation, ModelInfo, Picture

READ_WITHIN_S: Final = 30.0
"""For all pictures of a question, with the wait for a reader; what is late counts as unread."""

ReadPicture = Callable[[StoredPicture], Awaitable[Picture]]


class PictureTexts:
    """What is read for one question."""

    def __init__(
        self, model: ModelInfo, readings: dict[int, Reading], *, can_read: bool = True
    ) -> None:
        """`readings`: by the picture's number, from `read_in_time`.

        `can_read`: otherwise text is known only where a page's file holds it.
        """
        self._model = model
        self._can_read = can_read
        self._readings = readings
        self._texts: dict[int, str] = {}
        self.unread: list[int] = []
        """Numbers of the pictures that were not read."""

    async def text_for(self, number: int, picture: Picture) -> str:
        """The text of a picture that the model is given; empty where it needs none."""
        reading = self._readings.get(number)
        if reading is None:
            if self._can_read:
                self.unread.append(number)
            return ""
        needed = is_needed(self._model, reading, picture.width_px, picture.height_px)
        if needed:
            self._texts[number] = reading.text
        return reading.text if needed else ""

    def reading_of(self, number: int) -> Reading | None:
        """What was read in a picture; `None`: it was not."""
        return self._readings.get(number)

    def quotes_on(self, question: str, locale: str) -> list[str]:
        """For the receipt of a model that makes nothing of text: the lines that are asked for."""
        if Limitation.NO_TEXT not in self._model.limitations:
            return []
        quoted = {number: lines_on(question, text) for number, text in self._texts.items()}
        return [
            say(locale, "note_text_quoted", number=number, text=" / ".join(lines))
            for number, lines in quoted.items()
            if lines
        ]


async def read_in_time(
    pool: ReadingPool | None,
    pictures: Sequence[StoredPicture],
    read_picture: ReadPicture,
    asker: Hashable,
) -> dict[int, Reading]:
    """Read pictures one by one, within `READ_WITHIN_S` for all of them.

    What a page's file says of its text is taken from there. Only one picture is in memory at a
    time: this may wait long, and outside every gate.

    Returns: by number; those that could not be read, or not in time, are missing.

    Raises: UserFacingError: a picture's file is gone; StoreFailed.
    """
    read = {
        stored.number: Reading(lines=tuple(stored.page.text.splitlines()))
        for stored in pictures
        if stored.page is not None and stored.page.text
    }
    if pool is None:
        return read
    until = asyncio.get_running_loop().time() + READ_WITHIN_S
    for stored in pictures:
        if stored.number in read:
            continue
        reading = await pool.read(await read_picture(stored), asker=asker, until=until)
        if reading is not None:
            read[stored.number] = reading
    return read


async def text_itself(
    pool: ReadingPool,
    turns: tuple[Turn, ...],
    read_picture: ReadPicture,
    locale: str,
    asker: Hashable,
) -> Ending:
    """Answer with the text of the question's pictures, or else of the latest ones before it.

    In place of the text of a picture that could not be read stands a sentence.

    Raises: UserFacingError: there is no picture.
    """
    pictured = next((turn for turn in reversed(turns) if turn.pictures), None)
    if pictured is None:
        raise UserFacingError("needs_picture")
    readings = await read_in_time(pool, pictured.pictures, read_picture, asker)
    parts = [
        _given(readings.get(picture.number), picture, locale, is_only=len(pictured.pictures) == 1)
        for picture in pictured.pictures
    ]
    notes = (note_read(locale, list(readings)), say(locale, "note_without_model"))
    text = "\n\n".join(parts)
    return Ending(
        outcome=Outcome.ANSWERED,
        text=text,
        long=long_text(text, locale),
        receipt=Receipt(
            pictures=tuple(
                ReceiptPicture(number=picture.number, name=picture.name)
                for picture in pictured.pictures
            ),
            skipped=turns[-1].receipt.skipped,
            notes=tuple(note for note in notes if note),
        ),
    )


def without_texts_given(turns: tuple[Turn, ...], presets: Presets) -> tuple[Turn, ...]:
    """The turns as a model may see them: no text of a picture as if it were the model's own words.

    What stands in a picture reaches a model only as a quotation, which says that it is no
    instruction.
    """
    return tuple(
        replace(turn, answer=None) if is_text_given(turn, presets) else turn for turn in turns
    )


def is_text_given(turn: Turn, presets: Presets) -> bool:
    """Whether a turn's answer is what stands in pictures, and not a model's words."""
    return not turn.model and presets.asks_for_text(turn.question)


def _given(reading: Reading | None, picture: StoredPicture, locale: str, *, is_only: bool) -> str:
    if reading is None:
        text = say(locale, "text_unread")
    elif reading.lines:
        text = _fenced(reading.text)
    else:
        text = say(locale, "text_none")
    if is_only:
        return text
    if picture.page is not None:
        return f"{picture.name}\n{text}"
    return f"{say(locale, 'text_of_picture', number=picture.number)}\n{text}"


def note_read(locale: str, numbers: list[int]) -> str:
    """For the receipt; empty where nothing was read."""
    if not numbers:
        return ""
    return say(locale, "note_text_read", count=len(numbers), numbers=", ".join(map(str, numbers)))


def note_unread(locale: str, numbers: list[int]) -> str:
    """For the receipt; empty where everything could be read."""
    if not numbers:
        return ""
    return say(locale, "note_text_unread", count=len(numbers), numbers=", ".join(map(str, numbers)))


def _fenced(text: str) -> str:
    """A code block that no text in it ends."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
