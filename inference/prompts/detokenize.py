"""From token ids to text that can be shown: only whole characters, for any bytes."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable
from typing import Any

from tokenizers import decoders

from inference.thinking import THINK, Marks, marks_of

CONTEXT_TOKENS = 4
"""Tokens before a new one that a tokenizer of an unknown kind decodes with it."""

# Bytes that byte-level tokenizers write as themselves; the others follow from U+0100 on.
_AS_THEMSELVES = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = sorted(set(range(0x100)) - set(_AS_THEMSELVES))
BYTE_OF = {chr(byte): byte for byte in _AS_THEMSELVES} | {
    chr(0x100 + index): byte for index, byte in enumerate(_OTHERS)
}
"""The byte of each character of a byte-level token. Source: GPT-2's ``bytes_to_unicode``."""


class TokenBytes:
    """The bytes of one tokenizer's tokens. Not thread-safe; lives as long as the model.

    Tokenizers are recognised by what they do:

    - byte-level (Qwen, SmolLM, OPT): each character of a token is a byte;
    - byte fallback (Vicuna, Mistral, Gemma): ``<0xE9>`` is a byte, and any other token has the same
      text in every context;
    - others: a token's text is what it adds to the text of the few tokens before it.
    """

    leading_spaces = 0
    """How many spaces the tokenizer's decoder drops at the beginning of a text."""
    thought_marks: Marks = THINK
    thought_ids: tuple[int | None, int | None] = (None, None)
    """Of the marks, where they are control tokens and so have no text."""

    def __init__(self, tokenizer: Any) -> None:
        """Take one of transformers' fast tokenizers."""
        self._tokenizer = tokenizer.backend_tokenizer
        added = self._tokenizer.get_added_tokens_decoder()
        self._special = {token_id for token_id, token in added.items() if token.special}
        marks = marks_of(tokenizer.get_vocab())
        if marks is not None:
            self.thought_marks = marks
            opening, closing = (self._tokenizer.token_to_id(mark) for mark in marks)
            if {opening, closing} <= self._special:
                self.thought_ids = opening, closing
        self._known: dict[int, bytes] = {}
        self._spelled: Callable[[int], bytes] | None = None  # None: depends on the context
        self._byte_ids: list[int] = []
        if isinstance(self._tokenizer.decoder, decoders.ByteLevel):
            self._spelled = self._by_byte_level
        else:
            self._probe_byte_fallback()

    def of(self, token_id: int, context: deque[int]) -> bytes:
        """Return a token's bytes; none if it is special, or unknown to the tokenizer.

        Args:
            token_id: any number; models have more logits than their tokenizers have tokens.
            context: the answer's newest tokens, empty at its beginning; updated.
        """
        known = self._known.get(token_id)
        if known is not None:
            return known
        if token_id in self._special or self._token(token_id) is None:
            spelled = b""
        elif self._spelled is None:
            return self._by_context(token_id, context)
        else:
            spelled = self._spelled(token_id)
        self._known[token_id] = spelled
        return spelled

    def _by_byte_level(self, token_id: int) -> bytes:
        token = self._token(token_id) or ""
        try:
            return bytes(BYTE_OF[character] for character in token)
        except KeyError:  # an added token is plain text
            return token.encode()

    def _by_byte_fallback(self, token_id: int) -> bytes:
        # After a letter: at the beginning of a text the decoder would drop a space.
        return self._decoded([self._byte_ids[ord("A")], token_id])[1:].encode()

    def _by_context(self, token_id: int, context: deque[int]) -> bytes:
        before, text = self._decoded([*context]), self._decoded([*context, token_id])
        context.append(token_id)
        return text[len(before) :].encode()

    def _probe_byte_fallback(self) -> None:
        ids = [self._tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in range(0x100)]
        if None in ids:
            return
        text = self._decoded([ids[ord(character)] for character in "    AA "])
        if text.lstrip(" ") == "AA ":
            self.leading_spaces = len("    AA ") - len(text)
            self._byte_ids = ids
            self._known = {token_id: bytes([byte]) for byte, token_id in enumerate(ids)}
            self._spelled = self._by_byte_fallback

    def _token(self, token_id: int) -> str | None:
        token: str | None = self._tokenizer.id_to_token(token_id) if token_id >= 0 else None
        return token

    def _decoded(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text


class Detokenizer:
    """Decodes one answer's tokens as they are sampled. Lives as long as its request.

    The text is the UTF-8 of the tokens' bytes, without special tokens. Bytes that form no whole
    character become U+FFFD, as `bytes.decode` replaces them, and affect nothing around them. Bytes
    that the end of the answer cuts off are dropped: half an emoji is no text. Apart from such a cut
    this is what the tokenizer's own `decode` returns for all tokens at once, except for Llama's
    byte tokens: there one broken byte makes `decode` replace the whole run.

    The cost per token does not depend on the answer's length; at most three bytes are held back.
    """

    def __init__(self, token_bytes: TokenBytes) -> None:
        self._token_bytes = token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._leading_spaces = token_bytes.leading_spaces
        self._context: deque[int] = deque(maxlen=CONTEXT_TOKENS)

    def push(self, token_id: int) -> str:
        """Add a token. Returns: the text that is complete now, often none."""
        text = self._utf8.decode(self._token_bytes.of(token_id, self._context))
        return self._without_leading_spaces(text) if self._leading_spaces else text

    def _without_leading_spaces(self, text: str) -> str:
        if not text:
            return text
        kept = text[: self._leading_spaces].lstrip(" ") + text[self._leading_spaces :]
        self._leading_spaces = 0 if kept else self._leading_spaces - len(text)
        return kept
