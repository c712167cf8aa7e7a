"""What a model with random weights is made from, and its tokenizer."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedConfig, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomModel:
    """How to build one model in its real shapes."""

    tokenizer: Callable[[], Any]
    config: Callable[[Any], PreTrainedConfig]
    """From the tokenizer."""
    processor: Callable[[Any], Any]
    """From the tokenizer."""


def tokenizer_of(
    vocabulary: int,
    *,
    special: tuple[str, ...],
    named: dict[str, str] | None = None,
    words: Iterable[str] = (),
    bos: bool = False,
    eos: str = "</s>",
) -> PreTrainedTokenizerFast:
    """Return a tokenizer that encodes text as bytes and decodes most tokens as short words.

    Args:
        vocabulary: the model's number of logits.
        special: tokens to add.
        named: further tokens, by the attribute of the tokenizer that holds each.
        words: to encode as one token each.
        bos: whether a text begins with a token of its own.
        eos: the token that ends an answer.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = {"<unk>": 0, "<s>": 1, "</s>": 2} | {c: i + 3 for i, c in enumerate(alphabet)}
    for letters in product(string.ascii_lowercase, repeat=4):
        if len(known) == vocabulary - 64:
            break
        known["Ġ" + "".join(letters)] = len(known)
    tokenizer = Tokenizer(models.BPE(vocab=known, merges=[], unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=eos,
        unk_token="<unk>",  # noqa: S106
        extra_special_tokens=named or {},
        **({"bos_token": "<s>"} if bos else {}),
    )
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken(token, normalized=False) for token in special]}
    )
    fast.add_tokens([AddedToken(word, normalized=False) for word in words])
    return fast
