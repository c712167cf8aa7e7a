"""Write a LLaVA of random weights as llama.cpp takes it: model.py FOLDER, in its environment.

Two files: the language model with its tokenizer, and the vision tower with its projector.
"""

import sys
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

WIDTH, HEADS, FEED_FORWARD, LAYERS = 128, 4, 256, 2
CONTEXT_TOKENS = 2048
SIDE_PX, PATCH_PX = 56, 14
LETTERS = ["▁", *map(chr, range(0x21, 0x7F))]
VOCABULARY = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *LETTERS]
TYPES = [
    gguf.TokenType.UNKNOWN,
    *[gguf.TokenType.CONTROL] * 2,
    *[gguf.TokenType.BYTE] * 256,
    *[gguf.TokenType.NORMAL] * len(LETTERS),
]
TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'user' %}USER: {{ message.content }}\n"
    "{% elif message.role == 'assistant' %}ASSISTANT: {{ message.content }}</s>\n"
    "{% else %}{{ message.content }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)

_rng = np.random.default_rng(0)


def weights(*shape: int) -> NDArray[np.float32]:
    """Random ones: float32[*shape]."""
    return _rng.normal(0, 0.08, shape).astype(np.float32)


def write_language_model(path: Path) -> None:
    """A Llama of two layers, with a tokenizer of characters and bytes."""
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(CONTEXT_TOKENS)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(FEED_FORWARD)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_vocab_size(len(VOCABULARY))
    file.add_tokenizer_model("llama")
    file.add_token_list(VOCABULARY)
    file.add_token_scores([0.0] * len(VOCABULARY))
    file.add_token_types(TYPES)
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_add_bos_token(True)
    file.add_chat_template(TEMPLATE)
    file.add_tensor("token_embd.weight", weights(len(VOCABULARY), WIDTH))
    file.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    file.add_tensor("output.weight", weights(len(VOCABULARY), WIDTH))
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            file.add_tensor(f"{block}.{norm}.weight", np.ones(WIDTH, np.float32))
        for square in ("attn_q", "attn_k", "attn_v", "attn_output"):
            file.add_tensor(f"{block}.{square}.weight", weights(WIDTH, WIDTH))
        for up in ("ffn_gate", "ffn_up"):
            file.add_tensor(f"{block}.{up}.weight", weights(FEED_FORWARD, WIDTH))
        file.add_tensor(f"{block}.ffn_down.weight", weights(WIDTH, FEED_FORWARD))
    _finish(file)


def write_tower(path: Path) -> None:
    """A CLIP of two layers, and LLaVA-1.5's projector."""
    file = gguf.GGUFWriter(path, "clip")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "mlp")
    file.add_bool("clip.use_gelu", True)
    sizes = {"image_size": SIDE_PX, "patch_size": PATCH_PX, "embedding_length": WIDTH}
    sizes |= {"feed_forward_length": FEED_FORWARD, "projection_dim": WIDTH}
    sizes |= {"block_count": LAYERS, "attention.head_count": HEADS}
    for name, size in sizes.items():
        file.add_uint32(f"clip.vision.{name}", size)
    file.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    file.add_array("clip.vision.image_mean", [0.5] * 3)
    file.add_array("clip.vision.image_std", [0.5] * 3)
    file.add_tensor("v.class_embd", weights(WIDTH))
    file.add_tensor("v.patch_embd.weight", weights(WIDTH, 3, PATCH_PX, PATCH_PX))
    file.add_tensor("v.position_embd.weight", weights((SIDE_PX // PATCH_PX) ** 2 + 1, WIDTH))
    for norm in ("v.pre_ln", "v.post_ln"):
        _norm(file, norm)
    for layer in range(LAYERS):
        block = f"v.blk.{layer}"
        for norm in ("ln1", "ln2"):
            _norm(file, f"{block}.{norm}")
        for square in ("attn_q", "attn_k", "attn_v", "attn_out"):
            _linear(file, f"{block}.{square}", WIDTH, WIDTH)
        _linear(file, f"{block}.ffn_up", FEED_FORWARD, WIDTH)
        _linear(file, f"{block}.ffn_down", WIDTH, FEED_FORWARD)
    for linear in ("mm.0", "mm.2"):
        _linear(file, linear, WIDTH, WIDTH)
    _finish(file)


def _norm(file: gguf.GGUFWriter, name: str) -> None:
    file.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    file.add_tensor(f"{name}.bias", np.zeros(WIDTH, np.float32))


def _linear(file: gguf.GGUFWriter, name: str, outputs: int, inputs: int) -> None:
    file.add_tensor(f"{name}.weight", weights(outputs, inputs))
    file.add_tensor(f"{name}.bias", np.zeros(outputs, np.float32))


def _finish(file: gguf.GGUFWriter) -> None:
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    write_language_model(Path(sys.argv[1]) / "model.gguf")
    write_tower(Path(sys.argv[1]) / "mmproj.gguf")
