"""Documents are kept with their questions, on both databases; pages know theirs. Real files."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bot.store import Store
from bot.values.documents import PageOf, SentDocument
from bot.values.messages import IncomingMessage, Receipt
from bot.values.pictures import NormalisedPicture
from tests.unit.store.questions import BLUE, RED, THREAD, incoming, new

PDF = b"%PDF-1.7 as it was sent"
DIGEST = hashlib.sha256(PDF).hexdigest()
REPORT = SentDocument(name="report.pdf", digest=DIGEST, data=PDF, suffix="pdf", num_pages=12)


def page(number: int, colour: tuple[int, int, int]) -> NormalisedPicture:
    of = PageOf(document=DIGEST, number=number, text=f"Section {number}")
    return replace(new(colour, f"report.pdf (p. {number})"), page=of)


async def ask(
    store: Store, message: IncomingMessage, shown: NormalisedPicture, *documents: SentDocument
) -> None:
    assert await store.inbox.claim(message)
    assert await store.begin_turn(
        message,
        question=message.text,
        new_pictures=(shown,),
        receipt=Receipt(),
        documents=documents,
    )


async def test_pages_of_a_document_belong_to_it_also_in_a_later_question(store: Store) -> None:
    await ask(store, incoming("m1"), page(1, RED), REPORT)
    await ask(store, incoming("m2"), page(9, BLUE))
    first, later = await store.turns(THREAD)
    (document,) = first.documents
    assert (document.name, document.num_pages, document.suffix) == ("report.pdf", 12, "pdf")
    assert await store.documents.read(document) == PDF
    of = [picture.page for turn in (first, later) for picture in turn.pictures]
    assert [(it.document, it.number, it.num_pages, it.text) for it in of if it] == [
        (document.id, 1, 12, "Section 1"),
        (document.id, 9, 12, "Section 9"),
    ]


async def test_a_question_asked_again_adds_pages_and_keeps_its_document(store: Store) -> None:
    await ask(store, incoming(), page(1, RED), REPORT)
    await ask(store, incoming(revision=1, again=True), page(2, BLUE))
    (turn,) = await store.turns(THREAD)
    assert [picture.name for picture in turn.pictures] == ["report.pdf (p. 1)", "report.pdf (p. 2)"]
    assert len(turn.documents) == 1


async def test_a_forgotten_document_takes_the_pages_of_later_questions_along(store: Store) -> None:
    await ask(store, incoming("m1"), page(1, RED), REPORT)
    await ask(store, incoming("m2"), page(9, BLUE))
    assert await store.forget_question(incoming("m1").key)
    (later,) = await store.turns(THREAD)
    assert (later.pictures, later.documents) == ((), ())


async def test_a_document_makes_room_and_its_turn_says_that_it_is_gone(store: Store) -> None:
    await ask(store, incoming(), page(1, RED), REPORT)
    await store.room.make_room(1)
    (turn,) = await store.turns(THREAD)
    (document,) = turn.documents
    assert (document.digest, await store.documents.read(document)) == ("", None)
