"""What a receipt and a prompt say of pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from bot.store import StoredPicture, Turn
from bot.texts import say
from bot.values.documents import StoredPage


def page_notes(locale: str, shown: Iterable[StoredPicture], turn: Turn) -> list[str]:
    """Of each document, which pages an answer is about, where they are not all of them.

    Args:
        shown: what the model was shown.
        turn: the question's: where it brought the document, the note says how to go on.
    """
    by_document: dict[int, list[StoredPage]] = {}
    for picture in shown:
        if picture.page is not None:
            by_document.setdefault(picture.page.document, []).append(picture.page)
    new = {document.id for document in turn.documents}
    return [
        _note(locale, pages, is_new=document in new)
        for document, pages in by_document.items()
        if len({page.number for page in pages}) < pages[0].num_pages
    ]


def _note(locale: str, pages: Sequence[StoredPage], *, is_new: bool) -> str:
    numbers = sorted({page.number for page in pages})
    note = say(
        locale,
        "note_pages",
        name=pages[0].name,
        total=pages[0].num_pages,
        count=len(numbers),
        pages=in_ranges(numbers),
    )
    return note + say(locale, "note_pages_more") if is_new else note


def in_ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, those in a row as a range: “1, 4–6”."""
    runs = groupby(enumerate(numbers), key=lambda item: item[1] - item[0])
    in_a_row = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in in_a_row)


def label_of(picture: StoredPicture) -> str:
    """Which page a picture shows, for the model; empty where it is none."""
    page = picture.page
    if page is None:
        return ""
    name = page.name.replace('"', "'")
    return f'page {page.number} of {page.num_pages} of the document "{name}"'
