"""Text at the border: what cannot be stored or seen goes, what people write stays."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.values.cleaning import clean, clean_name, clean_words, is_unseen
from bot.values.messages import Attachment, Author, IncomingMessage, MessageKey, ThreadKey
from bot.values.turns import ChannelSettings

ANYTHING = st.text(st.characters() | st.sampled_from("\r\n\t\x00\x85\u200b\ud83d\ude00"))
"""Surrogates too, paired and not."""

WRITTEN = [
    "What is it?\n\tAnd that?",
    "これは何ですか？　全角も、「」も。",
    "👩‍👩‍👧‍👦 ❤️ 👍🏽 🏴󠁧󠁢󠁳󠁣󠁴󠁿 1️⃣",
    "e\u0301 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "مرحبا \u200fשלום\u200e \u2067אבג\u2069",
    "نمی\u200cخواهم क्\u200dष",
    "ᄒ\u1160 \u3164.",
    "葛\U000e0100城 一\ufe00",
    "𠮷野家 ﷽ \u2028 \xa0",
]


@given(ANYTHING)
def test_cleaned_text_can_be_encoded_and_holds_no_controls(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not [it for it in cleaned if unicodedata.category(it) == "Cc" and it not in "\n\t"]
    assert clean(cleaned) == cleaned
    json.loads(json.dumps(cleaned)).encode("utf-8")


@given(ANYTHING)
def test_a_name_is_one_line_without_space_around_it(text: str) -> None:
    name = clean_name(text)
    assert len(name.splitlines()) <= 1
    assert name == name.strip() == clean_name(name)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_all_other_text_passes_unchanged(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_passes_unchanged(text: str) -> None:
    assert clean(text) == clean_words(text) == text
    assert not is_unseen(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("what is it \ud83d", "what is it \ufffd"),
        ("\ude00 back to front \ud83d", "\ufffd back to front \ufffd"),
        ("a pair \ud83d\ude00", "a pair 😀"),
        ("one\r\ntwo\rthree\x0bfour\x0cfive\x85six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("a\x00b\x1b[31mred\x7f\x9b0m", "ab[31mred0m"),
    ],
)
def test_halves_of_characters_and_controls_are_replaced_or_removed(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\n\u3000\xa0\u2003",
        "\u200b",
        "\ufeff",
        "\u200b\u200c\u200d\u2060",
        "\ufe0f\ufe00\U000e0100",
        "\xad",
        "\u202e\u2066\u2069\u200e\u200f\u061c",
        "\u115f\u1160\u3164\uffa0",
        "\u034f\u180e\u17b4\u2800",
        "\ufff9\ufffb\U000e0001\U000e007f",
        "\x00\x1b\x9b",
        "\ud83d",
    ],
)
def test_what_nobody_can_see_is_nothing(text: str) -> None:
    assert is_unseen(clean(text))
    assert clean_words(text) == clean_name(text) == ""
    assert clean_words(f"{text}?") != ""


def test_every_value_that_crosses_the_border_is_clean() -> None:
    dirty, words = "a\x00\ud83d", "a\ufffd"
    message = IncomingMessage(
        key=MessageKey(platform="p", team="", channel="", message="1"),
        thread=ThreadKey(platform="p", team="", channel="", thread="1"),
        author=Author(id="u", name=f"{dirty}\n"),
        text=dirty,
        attachments=(Attachment(name=f"\t{dirty}", ref="x"),),
        locale=dirty,
    )
    assert (message.text, message.author.name, message.locale) == (words, words, words)
    assert message.attachments[0].name == words
    assert IncomingMessage.from_json(message.to_json()) == message
    chosen = ChannelSettings(system_prompt=dirty, note="\u200b")
    assert (chosen.system_prompt, chosen.note) == (words, "")
