"""Tokenizers of a few hundred tokens, of each kind that released checkpoints have."""

from __future__ import annotations

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast


def byte_tokenizer(*special: str, bos: bool) -> PreTrainedTokenizerFast:
    """A tokenizer of the 256 bytes and the given special tokens: any text, no training."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {c: i + 3 for i, c in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _finished(tokenizer, special, bos=bos)


def llama_tokenizer(*special: str) -> PreTrainedTokenizerFast:
    """A Llama-like tokenizer, as LLaVA-1.5 and LLaVA-NeXT have: characters and byte fallback.

    A line's end is a byte token, and so are the characters that its vocabulary lacks.
    """
    known = [chr(code) for code in range(0x21, 0x7F)] + [*"あいのはです日本人中一。、"]
    merges = [("▁", "c"), ("▁c", "a"), ("▁ca", "t"), ("t", "h"), ("▁", "▁")]
    spelled = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(0x100)), "▁", *known]
    spelled += [left + right for left, right in merges]
    vocabulary = {token: token_id for token_id, token in enumerate(spelled)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return _finished(tokenizer, special, bos=True)


def wordpiece_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of BERT's kind, as BLIP has: lower case, words and the letters to end them."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["a", "cat", "red", "what", "is", "this", "?", ".", *letters]
    spelled = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]", *words, *(f"##{it}" for it in letters)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(spelled))}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(it, vocabulary[it]) for it in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        additional_special_tokens=["[DEC]"],
    )


QWEN_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
)


def smol_tokenizer(*added: str) -> PreTrainedTokenizerFast:
    """A tokenizer of SmolLM's kind: BPE over bytes; two ends of line are one token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ċ", "Ċ"), ("Ġ", "c"), ("a", "t"), ("Ġc", "at"), ("t", "h"), ("r", "o")]
    spelled = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *alphabet]
    spelled += [left + right for left, right in merges]
    tokenizer = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(spelled)}, merges=merges)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        unk_token="<|endoftext|>",
        pad_token="<|im_end|>",
    )
    special = ["<image>", "<fake_token_around_image>", *added]
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken(token, normalized=False) for token in special]}
    )
    return fast


def qwen_tokenizer(*added: str, **named: str) -> PreTrainedTokenizerFast:
    """A tokenizer of Qwen's kind: BPE over bytes within words, no token that begins a text.

    Args:
        added: further tokens.
        named: further tokens, by the attribute of the tokenizer that holds each.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "c"), ("a", "t"), ("Ġc", "at"), ("t", "h"), ("th", "e"), ("ã", "ģ"), ("?", "Ċ")]
    spelled = [*alphabet, *(left + right for left, right in merges)]
    tokenizer = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(spelled)}, merges=merges)
    )
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    others = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words + others), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named,
    )
    special = [AddedToken(token, normalized=False) for token in QWEN_SPECIAL]
    fast.add_special_tokens({"additional_special_tokens": special})
    fast.add_tokens([AddedToken(token, normalized=False) for token in added])
    return fast


def _finished(
    tokenizer: Tokenizer, special: tuple[str, ...], *, bos: bool
) -> PreTrainedTokenizerFast:
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.pad_token = "</s>"
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken(t, normalized=False) for t in special]}
    )
    return fast


def id_of(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of one token."""
    token_id = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(token_id, int)
    return token_id
