"""An address is found whatever stands around it, and nothing of what stands around it."""

from __future__ import annotations

import itertools
import time

import pytest

from bot.images.links import file_name, links_in, names_a_picture

ADDRESSES = [
    "https://example.org/red.png",
    "HTTP://EXAMPLE.ORG/RED.PNG",
    "https://example.org/red.png?w=60&h=40#top",
    "https://example.org:8443/a/b.c/red.jpeg",
    "https://user@example.org/red.webp",
    "https://en.wikipedia.org/wiki/Red_(colour).png",
    "https://en.wikipedia.org/wiki/(Red)_and_(blue)",
    "https://例え.jp/red.png",
    "https://xn--r8jz45g.jp/red.png",
    "https://example.org/%E7%8C%AB.png",
    "https://ja.wikipedia.org/wiki/ファイル:猫.png",
    "https://example.org/über/été.gif",
    "https://[2001:db8::1]:8080/red.png",
    "https://example.org/a~b/red_1-2,3.png",
    "https://example.org",
]

AROUND = [
    ("", ""),
    ("これは", ""),
    ("see ", " please"),
    ("see ", "."), ("see ", ", and"), ("see ", "!"), ("is it ", "?"), ("look: ", ":"), ("", ";"),
    ("", "…"), ("", "..."), ("", "?!"),
    ("(", ")"), ("[", "]"), ("(see ", ")."), ("'", "'"), ('"', '"'), ("“", "”"), ("«", "»"),
    ("<", ">"), ("[text](", ")"), ("[text](", ' "title")'), ("![alt](<", ">)"), ("[[a](", ")](b)"),
    ("**", "**"), ("*", "*"), ("__", "__"), ("_", "_"), ("~~", "~~"), ("||", "||"),
    ("||**", "**||"),
    ("`", "`"), ("```\n", "\n```"), ("> ", "\n> next"),
    ("<", "|a label>"), ("{", "}"), ("\\", "\\"), ("^", "^"),
    ("", "。"), ("", "、と"), ("「", "」"), ("『", "』"), ("（", "）"), ("［", "］"), ("【", "】"),
    ("〈", "〉"), ("《", "》"), ("〔", "〕"), ("“", "”と"), ("", "！"), ("", "？"),
    ("画像：", "："),
    ("", "；"), ("", "，"), ("", "．"), ("", "・次"), ("", "～"), ("", "｜"), ("", "＞"),
    ("\u3000", "\u3000次"), ("\u200b", "\u200b"), ("🐈", "🐈"), ("\t", "\n"), ("\u00a0", "\u00a0"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), AROUND)
def test_an_address_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    for address in ADDRESSES:
        assert links_in(f"{before}{address}{after}") == (address,)


def test_several_addresses_are_found_in_their_order_and_each_once() -> None:
    for before, after in AROUND:
        for one, other in itertools.pairwise(ADDRESSES):
            text = f"{before}{one}{after} {before}{other}{after} {before}{one}{after}"
            assert links_in(text) == (one, other), text


@pytest.mark.parametrize("after", ["を見て", "は何？", "です。", "という画像", "ですか"])
def test_words_that_follow_a_pictures_name_without_a_space_are_no_part_of_it(after: str) -> None:
    assert links_in(f"これ→https://example.org/red.png{after}") == ("https://example.org/red.png",)


GLUED = [
    "を見て", "と", "は何？", "です。", "（これ）", "【参考】", "という画像", "を", "봐", "ดู",
]  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/red.png",
        "https://example.org/red.png?x=1&y=2",
        "https://example.org/red.png?X-Amz-Date=20260101T000000Z&X-Amz-Signature=0a1b%2B",
        "https://example.org/red.png?sig=QUJD==",
        "https://example.org/red?format=png&q=猫&w=60",
        "https://example.org/red.png#top",
        "https://example.org/画像（1）.png",
        "https://example.org/a**b.png",
    ],
)
def test_words_that_follow_an_ascii_end_without_a_space_are_no_part_of_it(address: str) -> None:
    for words in GLUED:
        assert links_in(address + words) == (address,)
        both = f"{address}{words}https://example.org/blue.png{words}"
        assert links_in(both) == (address, "https://example.org/blue.png")


@pytest.mark.parametrize(
    "address",
    [
        "https://ja.wikipedia.org/wiki/日本",
        "https://ja.wikipedia.org/wiki/日本#歴史",
        "https://example.org/写真.png",
        "https://example.org/search?q=猫の写真&lang=ja",
        "https://example.org/search?q=cat+猫",
        "https://example.org/search?q=caféx&r=một",
        "https://example.org/画像（1）.png",
        "https://example.org/画像（1）（2）の写し.PNG",
        "https://example.org/【公式】猫.jpg",
        "https://example.org/［1］/red.png",
        "https://example.org/a**b.png",
        "https://example.org/a~~b~~c.png?w=60",
        "https://web.archive.org/web/2020/https://example.org/red.png",
    ],
)
def test_an_address_keeps_what_belongs_to_it(address: str) -> None:
    for before, after in [("", ""), ("これは", "。"), ("（", "）"), ("", " と"), ("<", ">")]:
        assert links_in(f"{before}{address}{after}") == (address,)


def test_brackets_and_marks_behind_a_page_are_no_part_of_its_address() -> None:
    page = "https://example.org/page"
    for after in ["（説明）", "（画像.png）", "【参考】、b.png", "**bold**", "~~b~~ c.png"]:
        assert links_in(page + after) == (page,)
    assert links_in(f"**{page}**b.png") == (page,)


@pytest.mark.parametrize(
    "text", ["", "no address", "https://", "http:///", "ftp://example.org/red.png", "https://。"]
)
def test_where_there_is_no_address_none_is_found(text: str) -> None:
    assert not [it for it in links_in(text) if names_a_picture(it)]


def test_a_picture_is_told_by_the_end_of_its_address() -> None:
    named = [it for it in ADDRESSES if names_a_picture(it)]
    assert len(named) == len(ADDRESSES) - 2
    assert not names_a_picture("https://[broken/red.png")


def test_a_name_is_shown_as_people_write_it() -> None:
    assert file_name("https://example.org/%E7%8C%AB.png?w=60") == "猫.png"
    assert file_name("https://[broken/red.png") == "https://[broken/red.png"


@pytest.mark.parametrize(
    ("piece", "most"),
    [("https://(", 1), ("https://e.org/a.pngと", 1), ("https://**", 1), ("https://e.org/（", 2)],
)
def test_a_long_text_is_read_once_over(piece: str, most: int) -> None:
    began = time.process_time()
    assert len(links_in(piece * 5000)) <= most
    assert time.process_time() - began < 5
