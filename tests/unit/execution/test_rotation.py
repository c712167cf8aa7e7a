"""Queries and keys are rotated as transformers rotates them, by one position or by three."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModel, StableLmConfig
from transformers.models.glm4v.configuration_glm4v import Glm4vTextConfig
from transformers.models.glm4v.modeling_glm4v import apply_rotary_pos_emb as rotate_neighbours
from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLTextConfig
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLTextConfig
from transformers.models.stablelm.modeling_stablelm import apply_rotary_pos_emb

from inference.execution.rotation import halves_first, rotate_, rotations_of, signed
from inference.execution.shape import DecoderShape

CPU = torch.device("cpu")
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 8,
}


def rope(*sections: int) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 1e6, "mrope_section": list(sections)}


@pytest.mark.parametrize(
    "config",
    [
        Qwen2VLTextConfig(**SIZES, rope_parameters=rope(4, 6, 6)),
        Qwen3VLTextConfig(**SIZES, head_dim=32, rope_parameters=rope(6, 5, 5)),
    ],
    ids=["in sections", "interleaved"],
)
def test_three_positions_turn_the_pairs_that_transformers_turns_by_them(config: Any) -> None:
    text = AutoModel.from_config(config)
    (rotation,) = rotations_of(text, 100, CPU)
    positions = torch.randint(0, 100, (20, 3), generator=torch.Generator().manual_seed(1))
    wanted = text.rotary_emb(torch.zeros(1), positions.T[:, None])
    for got, whole in zip(rotation.at(positions, torch.float32), wanted, strict=True):
        assert torch.equal(got[:, 0], whole[0, :, :16])
    same = positions[:, :1].expand(-1, 3)  # a text token: in a decode step it has one position
    one, three = (rotation.at(p, torch.float32)[0] for p in (positions[:, 0], same))
    assert torch.equal(one, three)


def test_a_part_of_each_head_is_rotated_and_the_rest_carried_along() -> None:
    config = StableLmConfig(
        **SIZES, rope_parameters={"rope_type": "default", "partial_rotary_factor": 0.25}
    )
    text = AutoModel.from_config(config)
    (rotation,) = rotations_of(text, 50, CPU)
    assert rotation.axes is None
    assert rotation.cos.shape == (50, 4)
    heads, positions = torch.randn(9, 3, 32), torch.arange(9) * 5
    cos, sin = text.rotary_emb(torch.zeros(1), positions[None])
    turned, _ = apply_rotary_pos_emb(heads[None, ..., :8], heads[None, ..., :8], cos, sin, 2)
    got = heads.clone()
    rotate_(got, *signed(*rotation.at(positions, torch.float32)))
    assert torch.allclose(got[..., :8], turned[0])
    assert torch.equal(got[..., 8:], heads[..., 8:])


def test_neighbours_that_become_halves_give_the_products_of_queries_and_keys_unchanged() -> None:
    parts = rope(2, 3, 3) | {"partial_rotary_factor": 0.5}
    text = AutoModel.from_config(Glm4vTextConfig(**SIZES, rope_parameters=parts))
    (rotation,) = rotations_of(text, 100, CPU)
    assert rotation.cos.shape == (100, 8)
    shape = DecoderShape(hidden=64, heads=2, kv_heads=2, head=32, layers=1, eps=1e-5)
    generator = torch.Generator().manual_seed(1)
    positions = torch.randint(0, 100, (20, 3), generator=generator)
    qkv = torch.randn(20, 6 * 32, generator=generator)
    queries, keys, _ = qkv.view(20, 3, 2, 32).transpose(0, 1)
    cos, sin = text.rotary_emb(torch.zeros(1), positions.T[:, None])
    q, k = rotate_neighbours(queries[None], keys[None], cos, sin, 2)
    ordered = qkv[:, halves_first(shape, 8)].view(20, 3, 2, 32).transpose(0, 1)
    angles = signed(*rotation.at(positions, torch.float32))
    got = ordered[:2].clone()
    rotate_(got, *angles)
    wanted = torch.einsum("shd,thd->hst", q[0], k[0])
    assert torch.allclose(torch.einsum("shd,thd->hst", *got), wanted, atol=1e-4)
    assert torch.equal(ordered[2].flatten(1), qkv[:, 4 * 32 :])
