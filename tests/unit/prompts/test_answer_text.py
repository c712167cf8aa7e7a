"""An answer ends where the model begins the next turn, and no sooner."""

from __future__ import annotations

import re

import pytest

from inference.prompts.answer_text import AnswerText
from inference.prompts.detokenize import TokenBytes
from inference.prompts.thoughts import Thoughts
from inference.thinking import MARKS, Marks, Thinking, Wrapping
from inference.types import FinishReason
from tests.tiny_models import byte_tokenizer, llama_tokenizer

TOKENIZERS = {"byte-level": byte_tokenizer(bos=False), "llama": llama_tokenizer()}
MARKED = {
    "byte-level, marks as control tokens": byte_tokenizer("[THINK]", "[/THINK]", bos=False),
    "llama, marks as control tokens": llama_tokenizer("[THINK]", "[/THINK]"),
}


def said(
    kind: str,
    text: str,
    marks: tuple[str, str] | None = None,
    thinking: Thinking = Thinking.NONE,
) -> tuple[str, AnswerText]:
    tokenizer = (TOKENIZERS | MARKED)[kind]
    answer = AnswerText(TokenBytes(tokenizer), marks, thinking)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return "".join([*map(answer.push, ids), answer.flush()]), answer


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_answer_ends_before_the_next_turn(kind: str) -> None:
    text, answer = said(kind, "A cat. USER: and? ASSISTANT: a dog", ("USER:", "ASSISTANT:"))
    assert text == "A cat. "
    assert answer.ended is FinishReason.NEXT_TURN


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_form_is_shown_to_its_end(kind: str) -> None:
    form = "In .env: POSTGRES_USER: app\nUSER: admin\nPASSWORD: 1234"
    text, answer = said(kind, form, ("USER:", "ASSISTANT:"))
    assert text == form
    assert answer.ended is None


NONE, POSSIBLE, OPENED = Thinking.NONE, Thinking.POSSIBLE, Thinking.OPENED


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    ("thinking", "written", "shown"),
    [
        (OPENED, "It is red, so\n</think>\n\n  A tomato.", "A tomato."),
        (OPENED, "It < is </thin red</think>A tomato: </think>", "A tomato: </think>"),
        (OPENED, "It is red, so <think> and never", ""),
        (OPENED, "</think>\n\n", ""),
        (POSSIBLE, "\n<think>\nred?\n</think>\n\nA tomato.", "A tomato."),
        (POSSIBLE, "<think>red", ""),
        (POSSIBLE, " A tomato, <think>I think</think>.", " A tomato, <think>I think</think>."),
        (POSSIBLE, "<thi", "<thi"),
        (POSSIBLE, "<thin> walls", "<thin> walls"),
        (NONE, "<think>a tag</think>", "<think>a tag</think>"),
    ],
)
def test_thoughts_are_never_shown_and_the_answer_behind_them_whole(
    kind: str, thinking: Thinking, written: str, shown: str
) -> None:
    assert said(kind, written, thinking=thinking)[0] == shown


@pytest.mark.parametrize("kind", MARKED)
@pytest.mark.parametrize(
    ("thinking", "written", "shown"),
    [
        (OPENED, "It is red, so[/THINK]\n\n  A tomato.", "A tomato."),
        (OPENED, "It is red, so [THINK] and never", ""),
        (POSSIBLE, "[THINK]red?[/THINK]A tomato.", "A tomato."),
        (POSSIBLE, "\n[THINK]red? Or </think> not[/THINK]\n\nA tomato.", "A tomato."),
        (POSSIBLE, "[THINK]red", ""),
        (POSSIBLE, "[THINK][/THINK]", ""),
        # Nobody but the model writes a control token: it thinks again.
        (POSSIBLE, "A [THINK]red[/THINK]tomato. [THINK]Or", "A tomato. "),
        (POSSIBLE, "[THINK]a[/THINK][THINK]b[/THINK]A tomato.", "A tomato."),
        (POSSIBLE, "A tomato[/THINK] it is.", "A tomato it is."),
        (POSSIBLE, "A <think>tag</think>", "A <think>tag</think>"),
    ],
)
def test_thoughts_between_control_tokens_which_have_no_text_are_never_shown_either(
    kind: str, thinking: Thinking, written: str, shown: str
) -> None:
    text, _ = said(kind, written, thinking=thinking)
    assert re.sub(" +", " ", text) == shown  # Llama's puts a space behind each control token


@pytest.mark.parametrize("marks", MARKS)
def test_where_both_kinds_of_marks_may_come_thoughts_end_with_the_mark_of_their_kind(
    marks: Marks,
) -> None:
    other = next(close for pair in MARKS if pair != marks for close in pair[1:])
    thoughts = Thoughts(POSSIBLE, *MARKS)
    written = f"{marks[0]}A {other} red{marks[1]}A tomato."
    assert "".join([*map(thoughts.push, written), thoughts.flush()]) == "A tomato."


def test_a_model_that_loops_in_its_thoughts_is_stopped() -> None:
    text, answer = said("byte-level", "I wonder. " * 400, thinking=OPENED)
    assert text == ""
    assert answer.ended is FinishReason.REPETITION


def test_the_next_turn_is_seen_behind_thoughts() -> None:
    written = "Red.</think>A tomato. USER: and? ASSISTANT: a dog"
    text, answer = said("byte-level", written, ("USER:", "ASSISTANT:"), OPENED)
    assert text == "A tomato. "
    assert answer.ended is FinishReason.NEXT_TURN


WRAPPING = Wrapping(around=("<answer>", "</answer>"), within=("<|box|>",))


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<answer>A cat.</answer>", "A cat."),
        ("\n<answer>\nA <|box|>cat<|box|>.\n</answer>\n", "A cat."),
        ("A cat.</answer>", "A cat."),  # the prompt has opened it
        ("<think>Fur, so</think>\n<answer>A cat.</answer>", "A cat."),
        ("<think>Fur, so <answer>", ""),
        ("A cat, as <answer>1</answer> says.", "A cat, as <answer>1</answer> says."),
        ("A cat </", "A cat </"),
        ("A cat </answer", "A cat </answer"),
        ("a < b\n\n| c |", "a < b\n\n| c |"),
        ("<an", "<an"),
        ("", ""),
        ("<answer></answer>", ""),
    ],
)
def test_marks_around_an_answer_are_left_out(kind: str, written: str, shown: str) -> None:
    tokenizer = TOKENIZERS[kind]
    answer = AnswerText(TokenBytes(tokenizer), None, POSSIBLE, (), WRAPPING)
    ids = tokenizer(written, add_special_tokens=False)["input_ids"]
    assert "".join([*map(answer.push, ids), answer.flush()]) == shown


def test_text_in_marks_is_shown_as_it_comes() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    answer = AnswerText(TokenBytes(tokenizer), None, POSSIBLE, (), WRAPPING)
    ids = tokenizer("<answer>A cat", add_special_tokens=False)["input_ids"]
    assert "".join(map(answer.push, ids)) == "A cat"
