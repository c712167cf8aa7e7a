"""The text of a thread's pictures: for the model, or as the answer itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable

from bot.core.answering.asked_lines import lines_on
from bot.core.answering.pictured_text import is_needed
from bot.errors import UserFacingError
from bot.images.reading.pool import ReadingPool
from bot.store import StoredPicture, Turn
from bot.texts import say
from bot.values.messages import Ending, Outcome, Receipt, ReceiptPicture
from inference.types import Limitation, ModelInfo, Picture

ReadPicture = Callable[[StoredPicture], Awaitable[Picture]]


class PictureTexts:
    """What is read for one question."""

    def __init__(self, pool: ReadingPool, model: ModelInfo, asker: Hashable) -> None:
        self._pool = pool
        self._model = model
        self._asker = asker
        self._texts: dict[int, str] = {}
        self.unread: list[int] = []
        """Numbers of the pictures that could not be read."""

    async def text_for(self, number: int, picture: Picture) -> str:
        """The text of a picture that the model is given; empty where it needs none."""
        reading = await self._pool.read(picture, asker=self._asker)
        if reading is None:
            self.unread.append(number)
            return ""
        needed = is_needed(self._model, reading, picture.width_px, picture.height_px)
        if needed:
            self._texts[number] = reading.text
        return reading.text if needed else ""

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


async def text_itself(
    pool: ReadingPool, turns: tuple[Turn, ...], read_picture: ReadPicture, locale: str
) -> Ending:
    """Answer with the text of the question's pictures, or else of the latest ones before it.

    Raises: UserFacingError: there is no picture, or none could be read.
    """
    pictured = next((turn for turn in reversed(turns) if turn.pictures), None)
    if pictured is None:
        raise UserFacingError("needs_picture")
    parts: list[str] = []
    for picture in pictured.pictures:
        reading = await pool.read(await read_picture(picture))
        if reading is None:
            text = say(locale, "text_unread")
        else:
            text = _fenced(reading.text) if reading.lines else say(locale, "text_none")
        if len(pictured.pictures) > 1:
            text = f"{say(locale, 'text_of_picture', number=picture.number)}\n{text}"
        parts.append(text)
    numbers = [picture.number for picture in pictured.pictures]
    return Ending(
        outcome=Outcome.ANSWERED,
        text="\n\n".join(parts),
        receipt=Receipt(
            pictures=tuple(
                ReceiptPicture(number=picture.number, name=picture.name)
                for picture in pictured.pictures
            ),
            skipped=turns[-1].receipt.skipped,
            notes=(note_read(locale, numbers), say(locale, "note_without_model")),
        ),
    )


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
