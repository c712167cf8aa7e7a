"""What `ask` and `chat` need to be answered: by this process's model, or by a running bot."""

from __future__ import annotations

from typing import Protocol, TextIO

from bot.platforms.terminal.pictures import PictureFile
from bot.values.messages import Ending, Receipt


class Conversation(Protocol):
    """One thread. Questions are asked one after the other."""

    @property
    def model_name(self) -> str:
        """The model that answers; empty while it is not known."""
        ...

    @property
    def has_pictures(self) -> bool:
        """Whether the thread has stored pictures, which then need not be sent again."""
        ...

    async def ask(
        self, question: str, pictures: tuple[PictureFile, ...], out: TextIO | None
    ) -> Ending:
        """Ask and wait for the end, printing to `out` as the answer grows.

        A refusal is not printed.

        Raises:
            TerminalError: it is refused.
            OutputLost: the answer could not be printed; it was stopped.
        """
        ...

    async def stop(self) -> None:
        """End the answer in flight where it is."""
        ...

    async def start_anew(self) -> None:
        """Leave the thread, with its pictures, and begin another."""
        ...


def remarks(receipt: Receipt) -> list[str]:
    """What a receipt has to say besides the names of the pictures, a line each."""
    notes = [f"{picture.name}: {note}" for picture in receipt.pictures for note in picture.notes]
    return [*receipt.skipped, *receipt.dropped, *notes, *receipt.notes]
