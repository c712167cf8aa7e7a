"""An answer ends before a text that its asker does not want, however tokens divide it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.prompts.answer_text import AnswerText
from inference.prompts.detokenize import TokenBytes
from inference.prompts.stop_strings import StopStrings
from inference.types import FinishReason
from tests.tiny_models import byte_tokenizer, llama_tokenizer

TOKENIZERS = {"byte-level": byte_tokenizer(bos=False), "llama": llama_tokenizer()}


@given(
    st.text("abc", max_size=40),
    st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_it_is_cut_before_a_stop_whatever_the_pieces(
    text: str, stops: list[str], size: int
) -> None:
    cut = StopStrings(tuple(stops))
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    shown = "".join(map(cut.push, pieces)) + cut.flush()
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if any(stop in text for stop in stops):
        assert cut.has_occurred
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
    else:
        assert shown == text
        assert not cut.has_occurred


def test_only_what_may_begin_a_stop_is_held_back() -> None:
    cut = StopStrings(("\n\n", "END"))
    assert cut.push("A cat.\n") == "A cat."
    assert cut.push("It E") == "\nIt "
    assert cut.push("NDS") == ""
    assert cut.has_occurred
    assert cut.push("more") + cut.flush() == ""


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("stop", ["。終", "dog", "👍", " a d"])
def test_it_is_found_across_tokens_and_within_them(kind: str, stop: str) -> None:
    written = "A cat, a dog 👍。終わり"
    tokenizer = TOKENIZERS[kind]
    answer = AnswerText(TokenBytes(tokenizer), None, stops=(stop, "never"))
    ids = tokenizer(written, add_special_tokens=False)["input_ids"]
    text = "".join([*map(answer.push, ids), answer.flush()])
    assert text.strip() == written[: written.index(stop)].strip()
    assert answer.ended is FinishReason.STOP
