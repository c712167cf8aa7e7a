"""Only whole characters, for any bytes, with every kind of tokenizer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from inference.prompts.detokenize import BYTE_OF, Detokenizer, TokenBytes
from tests.tiny_models import byte_tokenizer, id_of, llama_tokenizer


def gemma_tokenizer() -> PreTrainedTokenizerFast:
    """Llama's kind, but nothing is put before a text, and nothing taken off again."""
    tokenizer = llama_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.backend_tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


def metaspace_tokenizer() -> PreTrainedTokenizerFast:
    """A kind without bytes: what a token spells depends on what stands before it."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "▁": 1, "▁a": 2, "b": 3, "。": 4}, "<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def wordpiece_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(
        models.WordLevel({"<unk>": 0, "a": 1, "##b": 2, ".": 3, "猫": 4}, "<unk>")
    )
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


KINDS: dict[str, PreTrainedTokenizerFast] = {
    "byte-level": byte_tokenizer("<image>", bos=False),
    "llama": llama_tokenizer("<image>"),
    "gemma": gemma_tokenizer(),
    "metaspace": metaspace_tokenizer(),
    "wordpiece": wordpiece_tokenizer(),
}
WITH_BYTES = ["byte-level", "llama", "gemma"]
TOKEN_BYTES = {kind: TokenBytes(tokenizer) for kind, tokenizer in KINDS.items()}

TEXTS = st.text(
    alphabet=st.sampled_from("ab c\n猫。は札幌鬱🐈👩‍👩‍👧é<")
    | st.characters(codec="utf-8", exclude_characters="▁"),  # Llama's sign for a space
    max_size=40,
)
IDS = st.lists(st.integers(0, 420), max_size=60)
"""Of every kind: special tokens, bytes, words, and numbers that no tokenizer here knows."""


def pieces(kind: str, ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(TOKEN_BYTES[kind])
    return [detokenizer.push(token_id) for token_id in ids]


def ids_of(kind: str, text: str) -> list[int]:
    return list(KINDS[kind](text, add_special_tokens=False)["input_ids"])


def decoded(kind: str, ids: list[int]) -> str:
    text: str = KINDS[kind].backend_tokenizer.decode(ids, skip_special_tokens=True)
    return text


def spelled(kind: str, ids: list[int]) -> bytes:
    """The bytes of ids by the tokens' names, told apart from the mechanism that is tested."""
    tokenizer = KINDS[kind]
    joined = b""
    for token_id in ids:
        token: Any = tokenizer.backend_tokenizer.id_to_token(token_id)
        if token is None or token in tokenizer.all_special_tokens:
            continue
        if token.startswith("<0x"):
            joined += bytes.fromhex(token[3:5])
        else:
            joined += token.replace("▁", " ").encode()
    return joined


@pytest.mark.parametrize("kind", WITH_BYTES)
@given(text=TEXTS)
def test_pieces_are_whole_characters_and_none_is_lost(kind: str, text: str) -> None:
    shown = pieces(kind, ids_of(kind, text))
    assert "".join(shown) == text == decoded(kind, ids_of(kind, text))
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in shown)


@pytest.mark.parametrize("kind", ["byte-level", "metaspace", "wordpiece"])
@given(ids=IDS)
def test_streamed_text_equals_decoding_all_tokens_at_once(kind: str, ids: list[int]) -> None:
    whole = decoded(kind, ids)
    shown = "".join(pieces(kind, ids))
    assert shown in (whole, whole.removesuffix("\ufffd"))  # half a character at the end is no text


@pytest.mark.parametrize("kind", ["llama", "gemma"])
@given(ids=IDS)
def test_broken_bytes_spare_the_characters_around_them(kind: str, ids: list[int]) -> None:
    text = spelled(kind, ids).decode(errors="replace")
    if kind == "llama":
        text = text.removeprefix(" ")
    shown = "".join(pieces(kind, ids))
    assert shown in (text, text.removesuffix("\ufffd"))
    if "\ufffd" not in text:
        assert shown == decoded(kind, ids)


@pytest.mark.parametrize("kind", WITH_BYTES)
@given(before=TEXTS, broken=st.binary(max_size=9), after=TEXTS)
def test_text_before_and_after_broken_bytes_is_shown(
    kind: str, before: str, broken: bytes, after: str
) -> None:
    tokenizer = KINDS[kind]
    characters = {byte: character for character, byte in BYTE_OF.items()}
    names = [characters[b] if kind == "byte-level" else f"<0x{b:02X}>" for b in broken]
    start, middle, end = (
        ids_of(kind, before),
        [id_of(tokenizer, name) for name in names],
        ids_of(kind, f".{after}"),
    )
    shown = "".join(pieces(kind, start + middle + end))
    assert shown.startswith(decoded(kind, start))
    assert shown.endswith(f".{after}")


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["<0x0A>", "<0xF0>", "<0x9F>", "▁cat"], "\n\ufffd cat"),
        (["<0xE9>", "<0xAC>", "<0xB1>", "<0xE9>", "<0xAC>", "。"], "鬱\ufffd。"),
        (["▁cat", "<0x0A>", "<0xF0>", "<0x9F>", "<0x90>"], "cat\n"),
        (["<0xE6>", "<0x9C>", "<s>", "<0xAD>"], "札"),
        (["▁", "▁", "▁cat"], "  cat"),
        (["<0x20>", "▁cat"], " cat"),
        (["<0x80>"] * 3 + ["a"], "\ufffd\ufffd\ufffda"),
    ],
)
def test_llamas_byte_tokens_are_decoded_byte_by_byte(tokens: list[str], text: str) -> None:
    ids = [id_of(KINDS["llama"], token) for token in tokens]
    assert "".join(pieces("llama", ids)) == text


@pytest.mark.parametrize("kind", WITH_BYTES)
def test_bytes_cut_off_by_the_end_are_dropped(kind: str) -> None:
    assert "".join(pieces(kind, ids_of(kind, "cat 🐈")[:-1])) == "cat "


def test_the_cost_per_token_does_not_depend_on_the_answers_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind, tokenizer in KINDS.items():
        token_bytes = TokenBytes(tokenizer)
        longest = [0]
        decode = token_bytes._decoded

        def counting(ids: list[int], decode: Any = decode, longest: list[int] = longest) -> str:
            longest[0] = max(longest[0], len(ids))
            return str(decode(ids))

        monkeypatch.setattr(token_bytes, "_decoded", counting)
        detokenizer = Detokenizer(token_bytes)
        for index in range(2000):
            detokenizer.push(3 + index % 250)
        assert longest[0] <= 5, kind


def test_byte_level_tokens_have_the_bytes_of_their_decoder() -> None:
    for byte in range(0x80):
        characters = {value: character for character, value in BYTE_OF.items()}
        assert decoders.ByteLevel().decode([characters[byte]]) == chr(byte)
    assert sorted(BYTE_OF.values()) == list(range(0x100))
