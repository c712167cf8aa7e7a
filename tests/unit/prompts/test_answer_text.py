"""An answer ends where the model begins the next turn, and no sooner."""

from __future__ import annotations

import pytest

from inference.prompts.answer_text import AnswerText
from inference.prompts.detokenize import TokenBytes
from inference.types import FinishReason
from tests.tiny_models import byte_tokenizer, llama_tokenizer

TOKENIZERS = {"byte-level": byte_tokenizer(bos=False), "llama": llama_tokenizer()}


def said(kind: str, text: str, marks: tuple[str, str] | None = None) -> tuple[str, AnswerText]:
    tokenizer = TOKENIZERS[kind]
    answer = AnswerText(TokenBytes(tokenizer), marks)
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
