"""Nothing past a stop, and an end to loops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.answer_text import AnswerText
from inference.detokenize import TokenBytes
from inference.repetition import is_looping
from inference.types import FinishReason
from tests.tiny_models import byte_tokenizer

TOKENIZER = byte_tokenizer(bos=False)
TOKEN_BYTES = TokenBytes(TOKENIZER)


def ids_of(text: str) -> list[int]:
    return list(TOKENIZER(text, add_special_tokens=False)["input_ids"])


def pieces(text: str, *stop_texts: str) -> tuple[list[str], AnswerText]:
    answer = AnswerText(TOKEN_BYTES, stop_texts)
    shown = [answer.push(token_id) for token_id in ids_of(text)]
    return [*shown, answer.flush()], answer


def test_the_answer_ends_before_a_stop_text() -> None:
    shown, answer = pieces("A cat.USER: and then", "USER:")
    assert "".join(shown) == "A cat."
    assert answer.ended is FinishReason.STOP


def test_what_could_begin_a_stop_text_is_held_back_and_then_shown() -> None:
    answer = AnswerText(TOKEN_BYTES, ("USER:",))
    shown = [answer.push(token_id) for token_id in ids_of("An USEful")]
    assert shown == ["A", "n", " ", "", "", "", "USEf", "u", "l"]


@given(st.text(alphabet="USER: a", max_size=30))
def test_no_stop_text_is_ever_shown(text: str) -> None:
    shown, _ = pieces(text, "USER:")
    assert "USER:" not in "".join(shown)
    assert "".join(shown) == text.partition("USER:")[0]


@pytest.mark.parametrize("cycle", [1, 2, 7, 32])
def test_a_loop_is_noticed(cycle: int) -> None:
    said = list(range(100, 140)) + list(range(cycle)) * 60
    assert is_looping(said)


def test_a_list_or_a_table_is_no_loop() -> None:
    rows = [token for row in range(40) for token in (1, 2, 3, 100 + row, 4)]
    assert not is_looping(rows)
    assert not is_looping([1, 2, 3] * 10)
    assert not is_looping([])
