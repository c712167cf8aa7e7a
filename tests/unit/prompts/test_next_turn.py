"""An answer ends before the next turn, and nothing that only looks like one is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.models import blip_2, llava
from inference.prompts.next_turn import MAX_QUESTION_CHARS, NextTurn

VICUNA = llava.LLAVA_1_5.turn_marks
BLIP_2 = blip_2.BLIP_2.turn_marks


def shown(text: str, marks: tuple[str, str] | None = VICUNA, piece: int = 1) -> tuple[str, bool]:
    watch = NextTurn(marks)
    pieces = [watch.push(text[at : at + piece]) for at in range(0, len(text), piece)]
    return "".join([*pieces, watch.flush()]), watch.has_begun


ENDINGS = {
    "A cat.": "A cat.\nUSER: What colour is it?\nASSISTANT: Black.",
    "A cat. ": "A cat. USER: What colour is it? ASSISTANT: Black.",
    "Two cats!": "Two cats!USER: Really? ASSISTANT: Yes.",
    "Red\n": "Red\nUSER: And the car? ASSISTANT: Blue.",
    "1. Milk\n2. Bread\n\n": "1. Milk\n2. Bread\n\nUSER: Thanks. ASSISTANT: You are welcome.",
    "A cat.\n": "A cat.\nUSER: Is it big?\nAnswer with one word. ASSISTANT: No",
    "猫です。": "猫です。USER: 何色ですか？ ASSISTANT: 黒です。",
    "```\nx = 1\n```\n": "```\nx = 1\n```\nUSER: What is x? ASSISTANT: 1",
    "The chat is about cars. I see a cat.\n": (
        "The chat is about cars. I see a cat.\nUSER: Is it big? ASSISTANT: No."
    ),
    "Il y a un chat sur le lit.\n": (
        "Il y a un chat sur le lit.\nUSER: De quelle couleur ? ASSISTANT: Noir."
    ),
    "The transcript is short. ": "The transcript is short. USER: How short? ASSISTANT: Ten words.",
    "The USER is empty.\n": "The USER is empty.\nUSER: Why? ASSISTANT: Nobody knows.",
}


@pytest.mark.parametrize(("answer", "text"), ENDINGS.items(), ids=range(len(ENDINGS)))
def test_an_answer_ends_before_the_next_turn(answer: str, text: str) -> None:
    for piece in (1, 3, 7, 1000):
        kept, has_begun = shown(text, piece=piece)
        assert has_begun
        assert kept.strip() == answer.strip()


def test_blip_2_is_stopped_before_its_next_question_too() -> None:
    text = "a cat on a sofa.\nQuestion: what colour is it? Answer: black"
    assert shown(text, BLIP_2) == ("a cat on a sofa.\n", True)


LEGITIMATE = [
    "In .env: POSTGRES_USER: app",
    "In .env:\nPOSTGRES_USER: app\nPOSTGRES_PASSWORD: secret\n",
    "The form says:\nUSER: admin\nPASSWORD: 1234",
    "The form has these fields.\nUSER: admin\nPASSWORD: 1234\nROLE: none",
    "USER: admin\nPASSWORD: 1234",
    "NAME: Bob\nUSER: admin\nASSISTANT: Smith",
    "USER: hi\nASSISTANT: hello\nUSER: bye\nASSISTANT: see you",
    "The screenshot shows a chat:\n\nUSER: hi\nASSISTANT: hello\n\nUSER: bye\nASSISTANT: see you",
    "The screenshot shows a transcript.\n\nUSER: hi\nASSISTANT: hello",
    "It is a conversation with a bot.\nUSER: hi\nASSISTANT: Hello.\n\nUSER: bye\nASSISTANT: Bye.",
    "I see a group chat. It reads as follows.\n\nUSER: hi\nASSISTANT: hello",
    "画像には会話が写っています。\n\nUSER: やあ\nASSISTANT: はい。\n\nUSER: では\nASSISTANT: では",
    "A chat.\n```\nUSER: hi\nASSISTANT: hello\n```\nNothing else.",
    'It reads "USER: hi ASSISTANT: hello" in white letters.',
    "It reads “USER: hi ASSISTANT: hello” in white letters.",
    "`USER: hi ASSISTANT: hello`",
    "| USER: x | ASSISTANT: y |",
    "- USER: the one who asks\n- ASSISTANT: the one who answers",
    "> USER: hi\n> ASSISTANT: hello",
    "**USER:** hi\n\n**ASSISTANT:** hello",
    "services:\n  db:\n    environment:\n      USER: app\n      ASSISTANT: none",
    "The login is shown. USER: admin, and the password is hidden.",
    "A super USER: that is what root means. The ASSISTANT: well.",
    "process.env.USER: app",
    "A cat. USER:",
    "A cat. US",
    "A cat. USER: " + "very long, " * 40 + "ASSISTANT: x",
    "CPU and GPU. USERS: 5. USER NAME: x",
]


@pytest.mark.parametrize("text", LEGITIMATE)
def test_text_that_only_looks_like_a_turn_is_shown_whole(text: str) -> None:
    for piece in (1, 3, 7, 1000):
        assert shown(text, piece=piece) == (text, False)


@pytest.mark.parametrize(
    "text",
    [
        "The sheet says: Question: what is 2 + 2? Answer: 4",
        "Worksheet:\nQuestion: what is 2 + 2?\nAnswer: 4\nQuestion: what is 3 + 3?\nAnswer: 6",
        "Question: what is 2 + 2? Answer: 4",
        "The picture shows a worksheet.\nQuestion: what is 2 + 2?\nAnswer: 4",
        "The headline is Question: who won?",
    ],
)
def test_blip_2_may_read_out_a_question_in_the_picture(text: str) -> None:
    assert shown(text, BLIP_2) == (text, False)


@given(st.lists(st.sampled_from(["USER:", "ASSISTANT:", "US", " ", "\n", ".", "cat", ":", "`"])))
def test_text_streams_in_order_and_only_its_end_may_be_missing(parts: list[str]) -> None:
    text = "".join(parts)
    kept, has_begun = shown(text)
    assert text.startswith(kept)
    assert has_begun or kept == text
    if has_begun:
        assert kept.strip()
        assert text[len(kept) :].startswith("USER:")
    assert shown(text, piece=5) == (kept, has_begun)


@given(st.text(alphabet="USER: .\nx", max_size=600))
def test_held_back_text_is_bounded(text: str) -> None:
    watch = NextTurn(VICUNA)
    come = 0
    for at, character in enumerate(text):
        come += len(watch.push(character))
        assert at + 1 - come <= MAX_QUESTION_CHARS + len("USER:ASSISTANT:")


def test_no_text_is_held_back_for_a_family_without_turn_marks() -> None:
    watch = NextTurn(None)
    assert watch.push("A cat. USER: hi ASSISTANT:") == "A cat. USER: hi ASSISTANT:"


def test_plain_text_is_shown_at_once() -> None:
    watch = NextTurn(VICUNA)
    assert [watch.push(c) for c in "An USEful"] == ["A", "n", " ", "", "", "", "USEf", "u", "l"]
