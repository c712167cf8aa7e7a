"""Questions for the store: asked, with pictures, and answered."""

from __future__ import annotations

from dataclasses import replace

from bot.store import Store
from bot.values.messages import (
    Attachment,
    Author,
    Ending,
    IncomingMessage,
    MessageKey,
    Outcome,
    Receipt,
    ReceiptPicture,
    ThreadKey,
)
from bot.values.pictures import NormalisedPicture
from tests.pictures import plain_picture

THREAD = ThreadKey(platform="web", team="t", channel="c", thread="1")
RED, BLUE = (250, 0, 0), (0, 0, 250)


def incoming(message: str = "m1", **changes: object) -> IncomingMessage:
    return replace(
        IncomingMessage(
            key=MessageKey(platform="web", team="t", channel="c", message=message),
            thread=THREAD,
            author=Author(id="u", name="Ann"),
            text="What is it?",
            attachments=(Attachment(name="a.png", ref="x", size_bytes=3),),
        ),
        **changes,  # type: ignore[arg-type]
    )


def new(colour: tuple[int, int, int] = RED, name: str = "a.png") -> NormalisedPicture:
    return NormalisedPicture(name=name, picture=plain_picture(colour), notes=(("note_flat", {}),))


def ending(text: str = "A cat.") -> Ending:
    receipt = Receipt(pictures=(ReceiptPicture(number=1, name="a.png"),), skipped=("b",))
    return Ending(outcome=Outcome.ANSWERED, text=text, receipt=receipt)


async def ask(store: Store, message: IncomingMessage, *pictures: NormalisedPicture) -> None:
    assert await store.inbox.claim(message)
    assert await store.begin_turn(
        message, question=message.text, new_pictures=pictures, receipt=Receipt()
    )
