"""No part of a reply is ever too long or cut badly."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.splitting import split
from bot.values.messages import ReplyLimits


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_a_short_text_is_one_part_and_no_text_is_none() -> None:
    assert split("hello", ReplyLimits(max_length=10)) == ["hello"]
    assert split("", ReplyLimits(max_length=10)) == []
    assert split("x" * 99, ReplyLimits()) == ["x" * 99]


def test_a_text_is_cut_after_a_paragraph_first() -> None:
    text = "First one. Second one.\n\nThird one. Fourth."
    assert split(text, ReplyLimits(max_length=35)) == [
        "First one. Second one.",
        "Third one. Fourth.",
    ]


def test_then_after_a_sentence() -> None:
    text = "The first sentence is here. The second is longer than that."
    assert split(text, ReplyLimits(max_length=40))[0] == "The first sentence is here."


def test_then_after_a_japanese_sentence() -> None:
    assert split("これは猫です。あれは犬です。", ReplyLimits(max_length=10)) == [
        "これは猫です。",
        "あれは犬です。",
    ]


def test_then_after_a_word() -> None:
    assert split("alpha beta gamma", ReplyLimits(max_length=11)) == ["alpha beta", "gamma"]


def test_then_between_characters_as_people_count_them() -> None:
    family = "👨‍👩‍👧‍👦"
    parts = split(family * 5, ReplyLimits(max_length=26, measure=utf16))
    assert parts == [family * 2, family * 2, family]


def test_lengths_are_measured_in_the_platforms_unit() -> None:
    parts = split("😀" * 10, ReplyLimits(max_length=8, measure=utf16))
    assert [len(part) for part in parts] == [4, 4, 2]


def test_a_code_fence_is_not_cut_when_it_can_begin_the_next_part() -> None:
    code = "```python\nprint(1)\nprint(2)\n```"
    text = f"Here is how it is done in Python, in two lines:\n\n{code}\n\nThat is all."
    parts = split(text, ReplyLimits(max_length=60))
    assert parts[0] == "Here is how it is done in Python, in two lines:"
    assert parts[1].startswith(code)


def test_a_code_fence_too_long_for_a_part_is_closed_and_opened_again() -> None:
    lines = [f"line_{i} = {i}" for i in range(40)]
    text = "```python\n" + "\n".join(lines) + "\n```\nDone."
    parts = split(text, ReplyLimits(max_length=100))
    assert all(len(part) <= 100 for part in parts)
    for part in parts[:-1]:
        assert part.startswith("```python\n")
        assert part.endswith("\n```")
    code = [line for part in parts for line in part.splitlines() if line.startswith("line_")]
    assert code == lines


def test_a_fence_inside_a_list_is_not_cut_open() -> None:
    lines = "\n".join(f"    line_{i}" for i in range(30))
    parts = split(f"- like this:\n    ```\n{lines}\n    ```", ReplyLimits(max_length=90))
    assert all(part.count("```") % 2 == 0 for part in parts)


def test_no_part_is_blank() -> None:
    parts = split("   \n\n" * 40 + "x", ReplyLimits(max_length=30))
    assert [part.strip() for part in parts] == ["x"]


def test_one_letter_under_a_hundred_accents_still_goes_out() -> None:
    letter = "a" + "\u0301" * 100
    parts = split(letter, ReplyLimits(max_length=40))
    assert "".join(parts) == letter
    assert all(len(part) <= 40 for part in parts)


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from("ab. 。\n`😀👍🏽é\u0301か") | st.characters(codec="utf-8"),
        max_size=400,
    ),
    st.integers(40, 120),
)
def test_no_part_is_too_long_and_no_character_is_lost_or_cut(text: str, limit: int) -> None:
    limits = ReplyLimits(max_length=limit, measure=utf16)
    parts = split(text, limits)
    assert all(utf16(part) <= limit for part in parts)
    if not any(sign in text for sign in ("```", "~~~", ">")):  # these are written again
        assert "".join("".join(parts).split()) == "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc. \n", min_size=80, max_size=300))
def test_finished_parts_do_not_change_while_the_text_grows(text: str) -> None:
    limits = ReplyLimits(max_length=50)
    whole = split(text, limits)
    for length in range(0, len(text), 7):
        grown = split(text[:length], limits)
        assert grown[:-1] == whole[: len(grown) - 1] or not text[:length].strip()


def test_a_fence_in_a_list_is_closed_where_it_was_opened_and_goes_on_at_the_margin() -> None:
    code = "".join(f"     line_{number}\n" for number in range(20))
    parts = split(
        f"1. a\n   - b\n     ```py\n{code}     ```\n     after", ReplyLimits(max_length=90)
    )
    assert parts[0].endswith("\n     ```")
    for part in parts[1:-1]:
        assert part.startswith("```py\nline_")
        assert part.endswith("\n```")
    assert parts[-1].endswith("\n```\nafter")


def test_a_list_that_goes_on_in_the_next_part_begins_at_the_margin() -> None:
    items = "\n".join(f"      - item number {number}" for number in range(8))
    parts = split(f"- a\n  - b\n    - c\n{items}\n- d", ReplyLimits(max_length=70))
    assert all(part.startswith("- ") for part in parts)
    assert [line for line in parts[-1].split("\n") if line == "- d"]


def test_a_table_in_code_goes_on_under_its_head() -> None:
    rows = "\n".join(f"row {number:2} | {number}" for number in range(30))
    parts = split(f"```\nname   | n\n-------|--\n{rows}\n```", ReplyLimits(max_length=120))
    assert len(parts) > 2
    assert all(part.startswith("```\nname   | n\n-------|--\nrow") for part in parts)
    shown = [line for part in parts for line in part.split("\n") if line.startswith("row")]
    assert "\n".join(shown) == rows


def test_a_quote_that_is_cut_stays_a_quote() -> None:
    parts = split("> " + "quoted words and more " * 8, ReplyLimits(max_length=60))
    assert all(part.startswith("> ") for part in parts)
    assert "".join(part.removeprefix("> ") for part in parts).count("quoted") == 8


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="a |`~>-\n 1.", max_size=300), st.integers(40, 90))
def test_every_text_is_split_in_the_end(text: str, limit: int) -> None:
    parts = split(text, ReplyLimits(max_length=limit))
    assert all(0 < len(part) <= limit for part in parts)
