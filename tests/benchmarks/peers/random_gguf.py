"""A decoder in its true shape with random weights as a GGUF, for llama.cpp."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf.constants import GGML_QUANT_SIZES

from inference.catalogue.shapes import MODELS, CatalogueModel

ARCHITECTURES = {
    "llama": "llama",
    "mistral": "llama",
    "qwen3": "qwen3",
    "qwen3_vl_text": "qwen3",
}
CONTEXT = 32_768


def shape_of(name: str) -> CatalogueModel | None:
    """Return a model's shape, where llama.cpp has an architecture for its decoder."""
    found = next((model for model in MODELS if model.name == name), None)
    return found if found is not None and found.text_type in ARCHITECTURES else None


class Writer:
    """Writes tensors of random bits that make sane numbers."""

    def __init__(self, file: Path, architecture: str) -> None:
        self.out = gguf.GGUFWriter(file, architecture)
        self._rng = np.random.default_rng(0)

    def matrix(self, name: str, rows: int, columns: int, kind: Kind) -> None:
        """Add a weight [rows, columns]."""
        if kind is Kind.F16:
            scaled = self._rng.standard_normal((rows, columns), dtype=np.float32) * 0.02
            self.out.add_tensor(name, scaled.astype(np.float16))
            return
        block, size = GGML_QUANT_SIZES[kind]
        blocks = self._rng.integers(
            0, 256, (rows, columns // block, size), dtype=np.uint8, endpoint=False
        )
        scale = np.frombuffer(np.float16(1e-4).tobytes(), dtype=np.uint8)
        if kind is Kind.Q4_K:  # scale and minimum, six-bit scales, four-bit values
            blocks[..., :2], blocks[..., 2:4] = scale, scale
        elif kind is Kind.Q6_K:  # values, eight-bit scales, scale
            blocks[..., -2:] = scale
        else:
            raise ValueError(kind)
        self.out.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=kind)

    def norm(self, name: str, size: int) -> None:
        """Add a norm's weight."""
        self.out.add_tensor(name, np.ones(size, dtype=np.float32))

    def close(self) -> None:
        """Write the file."""
        self.out.write_header_to_file()
        self.out.write_kv_data_to_file()
        self.out.write_tensors_to_file()
        self.out.close()


def write(model: CatalogueModel, file: Path, *, few_bits: bool) -> None:
    """Write a decoder: in four bits Q4_K with a head in Q6_K, as Q4_K_M nearly is, else 16 bits."""
    architecture = ARCHITECTURES[model.text_type]
    writer = Writer(file, architecture)
    out = writer.out
    out.add_context_length(CONTEXT)
    out.add_embedding_length(model.hidden)
    out.add_block_count(model.layers)
    out.add_feed_forward_length(model.intermediate)
    out.add_head_count(model.heads)
    out.add_head_count_kv(model.kv_heads)
    out.add_key_length(model.head)
    out.add_value_length(model.head)
    out.add_rope_dimension_count(model.head)
    out.add_rope_freq_base(1e6)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_vocab_size(model.vocabulary)
    out.add_tokenizer_model("no_vocab")
    kind = Kind.Q4_K if few_bits else Kind.F16
    head = Kind.Q6_K if few_bits else Kind.F16
    writer.matrix("token_embd.weight", model.vocabulary, model.hidden, kind)
    writer.norm("output_norm.weight", model.hidden)
    if not model.tied:
        writer.matrix("output.weight", model.vocabulary, model.hidden, head)
    for index in range(model.layers):
        _layer(writer, f"blk.{index}", model, kind, has_norms=architecture == "qwen3")
    writer.close()


def _layer(writer: Writer, at: str, model: CatalogueModel, kind: Kind, *, has_norms: bool) -> None:
    queries, keys = model.heads * model.head, model.kv_heads * model.head
    writer.norm(f"{at}.attn_norm.weight", model.hidden)
    writer.matrix(f"{at}.attn_q.weight", queries, model.hidden, kind)
    writer.matrix(f"{at}.attn_k.weight", keys, model.hidden, kind)
    writer.matrix(f"{at}.attn_v.weight", keys, model.hidden, kind)
    writer.matrix(f"{at}.attn_output.weight", model.hidden, queries, kind)
    if has_norms:
        writer.norm(f"{at}.attn_q_norm.weight", model.head)
        writer.norm(f"{at}.attn_k_norm.weight", model.head)
    writer.norm(f"{at}.ffn_norm.weight", model.hidden)
    writer.matrix(f"{at}.ffn_gate.weight", model.intermediate, model.hidden, kind)
    writer.matrix(f"{at}.ffn_up.weight", model.intermediate, model.hidden, kind)
    writer.matrix(f"{at}.ffn_down.weight", model.hidden, model.intermediate, kind)
