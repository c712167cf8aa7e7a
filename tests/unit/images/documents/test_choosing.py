"""Which pages a question is about: those it names, those that say its words, or the first ones."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, cast

import pytest

from bot.core.documents.pages import DocumentPages
from bot.errors import PictureRefused
from bot.images.documents.choosing import ChosenPages, choose_pages, documents_meant
from bot.images.documents.documents import Documents
from bot.images.documents.page_numbers import pages_named
from bot.store import Store
from bot.values.documents import SentDocument


@dataclass(frozen=True)
class File:
    name: str


@pytest.mark.parametrize(
    ("question", "pages"),
    [
        ("What is on page 3?", [3]),
        ("p. 3", [3]),
        ("p3 and p5, please", [3, 5]),
        ("pp. 4-6", [4, 5, 6]),
        ("Summarise pages 4–6 of it", [4, 5, 6]),
        ("pages 4 to 6", [4, 5, 6]),
        ("from page 4 to page 6", [4, 5, 6]),
        ("pages 2, 5 and 7", [2, 5, 7]),
        ("compare page 7 with page 2", [7, 2]),
        ("Pages 9 & 10", [9, 10]),
        ("slide 8", [8]),
        ("the second page", [2]),
        ("the 11th page", [11]),
        ("page three", [3]),
        ("the last page", [12]),
        ("the last two pages", [11, 12]),
        ("the first 3 pages", [1, 2, 3]),
        ("the cover page", [1]),
        ("3ページには何がありますか", [3]),
        ("３ページ目", [3]),
        ("4〜6ページを要約して", [4, 5, 6]),
        ("４～６ページ", [4, 5, 6]),
        ("4ページから6ページまで", [4, 5, 6]),
        ("3ページと5ページを比べて", [3, 5]),
        ("2、5ページ", [2, 5]),
        ("五ページ目", [5]),
        ("3頁", [3]),
        ("ページ7の表", [7]),
        ("最後のページ", [12]),
        ("最初の2ページ", [1, 2]),
        ("最後の2ページ", [11, 12]),
        ("表紙には何とありますか", [1]),
        ("5枚目のスライド", [5]),
    ],
)
def test_pages_are_named_in_many_ways(question: str, pages: list[int]) -> None:
    assert pages_named(question, 12) == (pages, [])


@pytest.mark.parametrize(
    "question",
    [
        "Summarise it in 3 pages",
        "What is the total of 2024?",
        "全12ページを要約して",
        "1ページ以内にまとめて",
        "2枚目の画像",
        "1080p or 4k?",
        "Which page mentions prices?",
        "MP3",
        "",
    ],
)
def test_other_numbers_name_no_page(question: str) -> None:
    assert pages_named(question, 12) == ([], [])


def test_pages_that_are_not_there_are_told_apart() -> None:
    assert pages_named("page 15", 12) == ([], [15])
    assert pages_named("pages 11-9999", 12) == ([11, 12], [9999])
    assert pages_named("page 0", 12) == ([], [0])


TEXTS = (
    "Annual report. Contents",
    "Letter to shareholders of the company",
    "Revenue in Asia grew by 12 percent in the company",
    "Risks and outlook of the company",
)


def test_words_choose_the_pages_that_say_them() -> None:
    assert choose_pages("How did revenue grow?", 4, TEXTS, limit=3).pages == (3,)
    assert choose_pages("What are the risks?", 4, TEXTS, limit=3).pages == (4,)
    japanese = ("目次", "売上高の推移", "今後の見通し")
    assert choose_pages("売上高はいくら？", 3, japanese, limit=2).pages == (2,)


def test_without_words_that_tell_pages_apart_it_is_the_first_ones() -> None:
    for question in ("", "Summarise this document", "What is the weather?", "要約して"):
        chosen = choose_pages(question, 4, TEXTS, limit=3)
        assert (chosen.pages, chosen.is_default) == ((1, 2, 3), True)
    everywhere = ["the same company"] * 4
    assert choose_pages("Which company?", 4, everywhere, limit=2).pages == (1, 2)


def test_named_pages_count_before_words_and_a_number_in_the_files_name_is_none() -> None:
    assert choose_pages("Revenue on page 1?", 4, TEXTS, limit=3).pages == (1,)
    question = "What does page 4.pdf say about revenue?"
    assert choose_pages(question, 4, TEXTS, limit=3, name="page 4.pdf").pages == (3,)


def test_a_document_is_meant_by_its_name_or_by_its_stem() -> None:
    files = [File("report.pdf"), File("Budget 2024.pdf"), File("a.pdf")]
    assert documents_meant("pages 4–6 of report.pdf", files) == files[:1]
    assert documents_meant("What does the budget 2024 say?", files) == files[1:2]
    assert documents_meant("Reporting, and a word", files) == []


@pytest.mark.parametrize(
    "question",
    ["1", "1,", "1 , ", "1-1,", "page 1,", "1 and ", "page" + " " * 400, "全1", "最後の1"],
)
def test_a_question_of_any_form_is_read_in_a_moment(question: str) -> None:
    began = time.process_time()
    choose_pages((question * 40_000)[:40_000], 12, (), limit=3)
    assert time.process_time() - began < 5


def test_pages_are_named_at_both_ends_of_a_long_question() -> None:
    pasted = "lorem ipsum " * 1000
    assert pages_named(f"Page 3?\n{pasted}", 12) == ([3], [])
    assert pages_named(f"{pasted}\nWhat does page 3 say of it?", 12) == ([3], [])


async def test_pages_are_chosen_in_a_thread_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def choose(*given: Any, **more: Any) -> ChosenPages:
        threads.append(threading.current_thread())
        return choose_pages(*given, **more)

    monkeypatch.setattr("bot.core.documents.pages.choose_pages", choose)
    document = SentDocument(
        name="a.pdf", digest="0", data=b"", suffix="pdf", num_pages=2, texts=("one", "two")
    )
    pages = DocumentPages(cast("Store", None), cast("Documents", NothingDrawn()))
    found = await pages.find("two?", [document], [], limit=1, asker=None, on_setback=lambda: None)
    assert len(found.refusals) == 1
    assert threads
    assert threading.main_thread() not in threads


class NothingDrawn:
    async def page(self, *_: Any, **__: Any) -> None:
        raise PictureRefused("picture_damaged", name="")
