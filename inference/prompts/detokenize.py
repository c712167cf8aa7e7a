"""From token ids to text that can be shown: whole characters, whatever bytes a model makes."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable
from typing import Any

from tokenizers import decoders

CONTEXT_TOKENS = 4
"""Tokens in front of a new one that a decoder of an unknown kind is shown."""

# The bytes that byte-level tokenizers write as themselves; the others follow from U+0100 on.
_AS_THEMSELVES = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = sorted(set(range(0x100)) - set(_AS_THEMSELVES))
BYTE_OF = {chr(byte): byte for byte in _AS_THEMSELVES} | {
    chr(0x100 + index): byte for index, byte in enumerate(_OTHERS)
}
"""The byte behind each character of a byte-level token. Source: GPT-2's ``bytes_to_unicode``."""


class TokenBytes:
    """What the tokens of one tokenizer spell, as bytes. For one thread; lives as long as a model.

    Tokenizers are told apart by what they do:

    - byte-level ones (Qwen, SmolLM, OPT): each character of a token is a byte;
    - ones with byte fallback (Vicuna, Mistral, Gemma): ``<0xE9>`` is a byte, every other token
      spells the same text wherever it stands;
    - others: a token spells what it adds to the text of the few tokens in front of it.
    """

    leading_spaces = 0
    """As many spaces at the beginning of a text its decoder drops."""

    def __init__(self, tokenizer: Any) -> None:
        """Take a fast tokenizer of transformers."""
        self._tokenizer = tokenizer.backend_tokenizer
        added = self._tokenizer.get_added_tokens_decoder()
        self._special = {token_id for token_id, token in added.items() if token.special}
        self._known: dict[int, bytes] = {}
        self._spelled: Callable[[int], bytes] | None = None  # None: it depends on the context
        self._byte_ids: list[int] = []
        if isinstance(self._tokenizer.decoder, decoders.ByteLevel):
            self._spelled = self._by_byte_level
        else:
            self._probe_byte_fallback()

    def of(self, token_id: int, context: deque[int]) -> bytes:
        """What a token spells; nothing where it is special, or unknown to the tokenizer.

        Args:
            token_id: any number; models have more rows than their tokenizers have tokens.
            context: the answer's own, empty at its beginning.
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
        except KeyError:  # an added token is written as it is
            return token.encode()

    def _by_byte_fallback(self, token_id: int) -> bytes:
        # Behind a letter: at the beginning of a text the decoder would drop a space.
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
    """Text of one answer, as its tokens come. Lives as long as its generation.

    All that it has returned is the UTF-8 text of the bytes that the tokens spell, special tokens
    left out. Bytes that form no whole character become U+FFFD, one for each run that no character
    can begin with (as `bytes.decode` replaces them), and take nothing else with them; those that
    the end of the answer cuts off become nothing: half an emoji is no text. So it is
    the text that the tokenizer's own `decode` makes of all tokens at once, but for such a cut, and
    for byte tokens of Llama's kind: a broken byte makes `decode` give up the whole run of them.

    A token costs the same however long the answer is; at most three bytes are held back.
    """

    def __init__(self, token_bytes: TokenBytes) -> None:
        self._token_bytes = token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._leading_spaces = token_bytes.leading_spaces
        self._context: deque[int] = deque(maxlen=CONTEXT_TOKENS)

    def push(self, token_id: int) -> str:
        """Take one token; return the text that is certain now (often empty)."""
        text = self._utf8.decode(self._token_bytes.of(token_id, self._context))
        return self._without_leading_spaces(text) if self._leading_spaces else text

    def _without_leading_spaces(self, text: str) -> str:
        if not text:
            return text
        kept = text[: self._leading_spaces].lstrip(" ") + text[self._leading_spaces :]
        self._leading_spaces = 0 if kept else self._leading_spaces - len(text)
        return kept
