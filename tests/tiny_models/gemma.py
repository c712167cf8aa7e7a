"""Gemma 3: windows and full layers in turn, pictures that attend to themselves both ways."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import (
    Gemma3Config,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    PreTrainedTokenizerFast,
)

from tests.tiny_models.saving import save
from tests.tiny_models.shapes import LLAMA, TOWER
from tests.tiny_models.tokenizers import id_of

GEMMA_TEMPLATE = (
    "{{ bos_token }}{% set ns = namespace(first='') %}"
    "{% if messages[0]['role'] == 'system' %}"
    "{% set ns.first = (messages[0]['content'] if messages[0]['content'] is string"
    " else messages[0]['content'][0]['text']) + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% if loop.first %}{{ ns.first }}{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<start_of_image>{% else %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}{% endif %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PICTURE_TOKENS = 16


def gemma_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of Gemma's kind: characters and byte fallback; ends of lines join."""
    known = [chr(code) for code in range(0x21, 0x7F)] + [*"あいのはです日本人中一。、"]
    merges = [("\n", "\n"), ("\n\n", "\n"), ("▁", "c"), ("▁c", "a"), ("t", "h")]
    spelled = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(0x100))]
    spelled += ["▁", "\n", *known, *(left + right for left, right in merges)]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: token_id for token_id, token in enumerate(spelled)},
            merges=merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        pad_token="<pad>",
        extra_special_tokens={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
    )
    turns = ("<start_of_turn>", "<end_of_turn>")
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken(token, normalized=False) for token in turns]}
    )
    return fast


def gemma3(folder: Path, *, query_pre_attn_scalar: int = 24) -> Path:
    """Two layers with windows shorter than a picture, one without; scores by another scale."""
    tokenizer = gemma_tokenizer()
    text = {name: value for name, value in LLAMA.items() if name != "model_type"}
    config = Gemma3Config(
        vision_config=TOWER
        | {"model_type": "siglip_vision_model", "image_size": 112, "vision_use_head": False},
        text_config=text
        | {
            "vocab_size": len(tokenizer),
            "head_dim": 2 * LLAMA["hidden_size"] // LLAMA["num_attention_heads"],
            "num_hidden_layers": 3,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "sliding_window": 12,
            "query_pre_attn_scalar": query_pre_attn_scalar,
        },
        image_token_index=id_of(tokenizer, "<image_soft_token>"),
        boi_token_index=id_of(tokenizer, "<start_of_image>"),
        eoi_token_index=id_of(tokenizer, "<end_of_image>"),
        mm_tokens_per_image=PICTURE_TOKENS,
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": 112, "width": 112}),
        tokenizer=tokenizer,
        image_seq_length=PICTURE_TOKENS,
        chat_template=GEMMA_TEMPLATE,
    )
    return save(folder, config, processor, eos=id_of(tokenizer, "<end_of_turn>"), is_attentive=True)
