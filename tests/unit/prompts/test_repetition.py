"""Loops are detected; naturally even text is not taken for one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.prompts.answer_text import AnswerText
from inference.prompts.detokenize import TokenBytes
from inference.prompts.repetition import SILENT_TOKENS, WINDOW_CHARS, LoopGuard
from inference.types import FinishReason
from tests.tiny_models import byte_tokenizer, llama_tokenizer

TOKENIZERS = {"byte-level": byte_tokenizer(bos=False), "llama": llama_tokenizer("<image>")}
TOKEN_BYTES = {kind: TokenBytes(tokenizer) for kind, tokenizer in TOKENIZERS.items()}

CHANCE = random.Random(3)  # noqa: S311

RIGHT = {
    "the rule of a table of 30 columns": "|" + "---|" * 30 + "\n",
    "the same with wide cells": "|" + " ------------ |" * 30 + "\n",
    "the same, aligned": "|" + ":---:|" * 40 + "\n",
    "an empty table": ("|" + "  |" * 10 + "\n") * 20,
    "a table that says one thing": "| Empty | Empty | Empty | Empty |\n" * 20,
    "the rule of a table of 200 columns": "|" + "------|" * 200 + "\n",
    "14 rows that say one thing": "| Monday | open | nine | five | Main | Street | north | gate |\n"
    * 14,
    "30 rows without pipes": "Monday,open,nine,five,Main,Street\n" * 30,
    "aligned columns": "Monday   open   nine   five   Main Street\n" * 30,
    "a matrix of 32 × 32 zeros": ("0 " * 32 + "\n") * 32,
    "the same with decimals": ("0.0 " * 32 + "\n") * 32,
    "64 rows of eight zeros": ("0 " * 8 + "\n") * 64,
    "300 × N/A": "N/A, " * 300,
    "300 × null": '"null", ' * 300,
    "200 empty boxes": "- [ ] \n" * 200,
    "100 tasks that have no name yet": "- [ ] To be done\n" * 100,
    "100 lines of code": "        self.items.append(None)\n" * 100,
    "100 rows of JSON": '{"name": null, "value": 0},\n' * 100,
    "100 empty paragraphs in HTML": "<p>Lorem ipsum dolor sit amet.</p>\n" * 100,
    "a matrix of zeros": ("0 " * 8 + "\n") * 8,
    "a larger matrix": ("0, " * 16 + "\n") * 16,
    "an identity in LaTeX": "0 & 0 & 0 & 1 \\\\\n" * 16,
    "N/A in CSV": ("N/A,N/A,N/A,N/A\n") * 24,
    "missing values in one line": ", ".join(["null"] * 64),
    "empty boxes to tick": "- [ ] \n" * 24,
    "more of them": "☐ \n" * 60,
    "a seating chart": ("[ ] [ ] [ ]   [ ] [ ] [ ]\n") * 20,
    "another": "Row: X X X X O O X X X X\n" * 20,
    "a third, in Japanese": "空席 空席 空席 空席\n" * 15,
    "dot leaders": "".join(f"Chapter {i} {'.' * 90} {i * 7}\n" for i in range(1, 9)),
    "one line of dots": "." * 300,
    "a horizontal rule": "-" * 200 + "\n",
    "a rule of signs": "=-" * 100,
    "binary": "01" * 256,
    "zeros": "0" * 400,
    "DNA": "AT" * 200,
    "poly-A": "A" * 300,
    "codons": "CAG" * 120,
    "code with one line again and again": "    print('hello')\n" * 24,
    "closing tags": "</div>\n" * 24,
    "braces": "    }\n" * 40,
    "rows of JSON": '{"name": null, "value": 0},\n' * 20,
    "a list of one thing": "- apple\n" * 30,
    "a numbered list": "".join(f"{i}. The same item\n" for i in range(1, 80)),
    "a chessboard": ("⬛⬜⬛⬜⬛⬜⬛⬜\n⬜⬛⬜⬛⬜⬛⬜⬛\n") * 4,
    "a laugh": "ha" * 40,
    "a refrain": "We all live in a yellow submarine, a yellow submarine, a yellow submarine\n" * 3,
    "labels": "John Smith\n12 Main Street\nSpringfield\n\n" * 10,
    "該当なし": "該当なし、" * 20,
    "a paragraph said twice": "The picture shows a cat on a sofa beside a lamp and a table. " * 2,
}

PARAGRAPH = (
    "The image shows a busy street in the afternoon. Several people are walking along the "
    "pavement, and a red bus is waiting at the corner. In the background there are tall "
    "buildings, shops with bright signs, and a few trees without leaves. "
)
LOOPS = {
    "a word": "very ",
    "a word in lines": "cat\n",
    "a phrase": "the cat and ",
    "a phrase with a comma": "a red car, a blue car, ",
    "a sentence": "The man is wearing a black hat. ",
    "a sentence in lines": "I am sorry, I cannot help with that.\n",
    "a paragraph": PARAGRAPH,
    "two paragraphs": PARAGRAPH + "\n\n" + PARAGRAPH.upper(),
    "a sentence in Japanese": "画像には赤い車が写っています。",
    "a sentence in list items": "- The man is wearing a black hat.\n",
    "a sentence in quotation marks": '"The man is wearing a black hat."\n',
    "a sentence in indented lines": "    The man is wearing a black hat.\n",
    "a phrase in Japanese": "赤い車と",
    "a sentence in German": "Das Bild zeigt eine Straße mit Häusern. ",
    "a sentence in Korean": "사진에는 빨간 자동차가 있습니다. ",
    "a row of a table": "| The cat | sits on | the mat | today |\n",
    "one character": "a",
    "one sign": ".",
    "one ideograph": "猫",
    "one emoji": "🐈",
    "line ends": "\n",
    "spaces": " ",
    "zeros": "0, ",
    "the rule of a table": "---|",
    "broken bytes": "\ufffd",
}
PROSE = {kind for kind in LOOPS if kind.startswith(("a sentence", "a paragraph"))}


def cut_after(text: str, kind: str | None = None) -> int | None:
    """Characters shown when the guard ends the answer; None: it never does."""
    if kind is None:
        guard = LoopGuard()
        return next((at for at, c in enumerate(text, start=1) if guard.push(c)), None)
    answer = AnswerText(TOKEN_BYTES[kind], None)
    shown = 0
    for token_id in TOKENIZERS[kind](text, add_special_tokens=False)["input_ids"]:
        shown += len(answer.push(token_id))
        if answer.ended is not None:
            assert answer.ended is FinishReason.REPETITION
            return shown
    return None


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("what", RIGHT)
def test_naturally_even_text_is_no_loop(what: str, kind: str) -> None:
    assert cut_after(f"Here it is:\n\n{RIGHT[what]}\nThat is all.", kind) is None


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("what", LOOPS)
def test_endless_repetition_is_a_loop(what: str, kind: str) -> None:
    cycle = LOOPS[what]
    at = cut_after("This is a picture of many things. " + cycle * (8000 // len(cycle)), kind)
    assert at is not None
    if what in PROSE:
        assert at < 1700


@pytest.mark.parametrize("what", sorted(PROSE))
def test_repeated_prose_is_a_loop_after_some_rounds_but_never_after_three(what: str) -> None:
    cycle = LOOPS[what]
    at = cut_after(cycle * 40)
    assert at is not None
    assert 4 * len(cycle) <= at <= 36 * len(cycle)


@given(text=st.text(min_size=1, max_size=30), size=st.integers(1, 9), begin=st.text(max_size=50))
@settings(max_examples=40)
def test_every_short_cycle_is_detected_however_its_text_is_split(
    text: str, size: int, begin: str
) -> None:
    guard = LoopGuard()
    whole = begin + text * (2 * WINDOW_CHARS // len(text))
    assert any(guard.push(whole[at : at + size]) for at in range(0, len(whole), size))


def test_words_that_differ_are_no_loop() -> None:
    words = ["cat", "dog", "house", "tree", "car", "is", "the", "and", "of", "red"]
    text = " ".join(CHANCE.choice(words) for _ in range(3000))
    assert cut_after(text) is None


def test_tokens_without_text_are_a_loop() -> None:
    answer = AnswerText(TOKEN_BYTES["llama"], None)
    image = TOKENIZERS["llama"].convert_tokens_to_ids("<image>")
    assert isinstance(image, int)
    for _ in range(SILENT_TOKENS - 1):
        answer.push(image)
    assert answer.ended is None
    answer.push(image)
    assert answer.ended is FinishReason.REPETITION


def test_the_guards_memory_is_bounded() -> None:
    guard = LoopGuard()
    for number in range(5000):
        guard.push(f"{number} ")
    assert len(guard._tail) <= WINDOW_CHARS
