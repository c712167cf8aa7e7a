"""Each Triton kernel against the same arithmetic written out in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

from inference.execution.kv_cache import KVCache
from inference.execution.rotation import Rotation, rotate_, signed
from inference.execution.shape import DecoderShape
from inference.kernels.layer_cache import LayerCache

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

if torch.cuda.is_available():
    from inference.kernels import attention, decode_int8, fused, resize, sampling, vision_rotation

PAGE = 16


def error(got: Tensor, wanted: Tensor) -> float:
    assert not got.isnan().any()
    return float((got.float() - wanted).norm() / wanted.norm())


def bf16(*shape: int) -> Tensor:
    return torch.randn(*shape, device="cuda").bfloat16()


def int32(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.int32, device="cuda")


def attend(query: Tensor, cache: LayerCache, table: Tensor, length: int, first: int = 0) -> Tensor:
    """Attend to tokens `first` to `length` of a sequence's pages. Returns: [heads, head]."""
    heads, head = query.shape
    keys, values = cache.read(table.long(), torch.float32)  # [kv heads, tokens, head]
    k, v = (
        x[:, max(first, 0) : length].repeat_interleave(heads // len(x), 0) for x in (keys, values)
    )
    scores = torch.einsum("hd,hnd->hn", query.float(), k) * head**-0.5
    return torch.einsum("hn,hnd->hd", scores.softmax(-1), v)


HEADS = [(4, 4, 64), (32, 32, 128), (32, 8, 128), (14, 2, 64), (9, 3, 64), (16, 8, 256)]


@pytest.fixture(params=HEADS)
def heads(request: pytest.FixtureRequest) -> tuple[int, int, int]:
    return tuple(request.param)


@pytest.fixture(params=[torch.bfloat16, torch.int8])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Of the cache."""
    kind: torch.dtype = request.param
    return kind


def empty_cache(kv_heads: int, head: int, pages: int, dtype: torch.dtype) -> LayerCache:
    shape = DecoderShape(hidden=0, heads=kv_heads, kv_heads=kv_heads, head=head, layers=1, eps=0)
    return KVCache(shape, pages, dtype=dtype, device=torch.device("cuda")).layer(0)


def full_cache(kv_heads: int, head: int, pages: int, dtype: torch.dtype) -> LayerCache:
    cache = empty_cache(kv_heads, head, pages, dtype)
    kv_slots = torch.arange(pages * PAGE, device="cuda")
    sizes = torch.rand(len(kv_slots), kv_heads, 1, device="cuda") * 3
    keys, values = (
        (torch.randn(len(kv_slots), kv_heads, head, device="cuda") * sizes).bfloat16() for _ in "kv"
    )
    cache.write(kv_slots, torch.cat([keys, values], 1))
    return cache


@pytest.fixture
def decode_attention(
    heads: tuple[int, int, int], dtype: torch.dtype, tmp_path: Path
) -> Callable[..., Tensor]:
    num_heads, kv_heads, head = heads
    if dtype == torch.bfloat16 or head not in decode_int8.HEADS:
        return attention.decode_attention
    return decode_int8.DecodeInt8(tmp_path, head=head, heads=num_heads, kv_heads=kv_heads)


@pytest.mark.parametrize("splits", [1, 4, 16])
def test_sequences_of_any_length_attend_to_their_own_pages(
    heads: tuple[int, int, int],
    dtype: torch.dtype,
    decode_attention: Callable[..., Tensor],
    splits: int,
) -> None:
    num_heads, kv_heads, head = heads
    cache = full_cache(kv_heads, head, 200, dtype)
    lengths = int32([1, 16, 17, 100, 800])
    tables = (torch.randperm(199, device="cuda")[:190] + 1).to(torch.int32)
    tables = torch.stack([tables[i : i + 60] for i in range(0, 150, 30)])
    queries = bf16(5, num_heads, head)
    no_group = int32([[-1] * attention.group_size(num_heads, kv_heads)])
    got = decode_attention(
        queries, cache, tables, lengths, torch.zeros_like(lengths), no_group, splits
    )
    wanted = [attend(queries[i], cache, tables[i], int(lengths[i])) for i in range(5)]
    assert error(got, torch.stack(wanted).view(5, -1)) < 5e-3


@pytest.mark.parametrize("splits", [1, 4])
def test_attention_loads_a_shared_prefix_once_and_correctly(
    heads: tuple[int, int, int],
    dtype: torch.dtype,
    decode_attention: Callable[..., Tensor],
    splits: int,
) -> None:
    num_heads, kv_heads, head = heads
    size = attention.group_size(num_heads, kv_heads)
    cache = full_cache(kv_heads, head, 300, dtype)
    pages = (torch.randperm(299, device="cuda") + 1).to(torch.int32)
    tables = torch.stack([pages[20 * i : 20 * i + 20] for i in range(6)])
    tables[2, :9] = tables[0, :9]
    tables[4, :5] = tables[3, :5]
    lengths = int32([150, 40, 300, 81, 200, 3])
    shared_lengths = int32([144, 0, 144, 80, 80, 0])
    group_members = torch.full((3, size), -1, dtype=torch.int32, device="cuda")
    group_members[0, :2] = int32([0, 2])
    group_members[2, :2] = int32([3, 4])
    queries = bf16(6, num_heads, head)
    got = decode_attention(queries, cache, tables, lengths, shared_lengths, group_members, splits)
    wanted = [attend(queries[i], cache, tables[i], int(lengths[i])) for i in range(6)]
    assert error(got, torch.stack(wanted).view(6, -1)) < 5e-3


@pytest.mark.parametrize("window", [1, 16, 50, 1000])
def test_a_window_hides_earlier_tokens_from_a_decode(
    heads: tuple[int, int, int], dtype: torch.dtype, window: int
) -> None:
    num_heads, kv_heads, head = heads
    cache = full_cache(kv_heads, head, 200, dtype)
    lengths = int32([1, 17, 100, 800])
    tables = (torch.randperm(199, device="cuda")[:190] + 1).to(torch.int32)
    tables = torch.stack([tables[i : i + 60] for i in range(0, 120, 30)])
    queries = bf16(4, num_heads, head)
    no_group = int32([[-1]])[:0]
    got = attention.decode_attention(
        queries, cache, tables, lengths, torch.zeros_like(lengths), no_group, 4, window
    )
    wanted = [
        attend(query, cache, table, length, length - window)
        for query, table, length in zip(queries, tables, lengths.tolist(), strict=True)
    ]
    assert error(got, torch.stack(wanted).view(4, -1)) < 5e-3


@pytest.mark.parametrize("window", [None, 20, 100])
def test_prefill_chunks_attend_causally_but_both_ways_in_pictures_and_within_a_window(
    heads: tuple[int, int, int], dtype: torch.dtype, window: int | None
) -> None:
    num_heads, kv_heads, head = heads
    cache = full_cache(kv_heads, head, 100, dtype)
    tables = (torch.randperm(99, device="cuda")[:60] + 1).to(torch.int32).view(3, 20)
    chunks = [(0, 130), (77, 1), (33, 40)]  # position of the first token, number of tokens
    blocks, first = [], 0
    for chunk, (position, count) in enumerate(chunks):
        for begin in range(0, count, attention.PREFILL_ROWS):
            size = min(attention.PREFILL_ROWS, count - begin)
            blocks.append([chunk, first + begin, position + begin, size])
        first += count
    blocks.append([-1, 0, 0, 0])
    queries = bf16(first, num_heads, head)
    pictures = [(10, 100), (-1, -1), (40, 50)]  # where each chunk's begins, and ends
    last_keys = [
        end - 1 if begin <= at < end else at
        for (position, count), (begin, end) in zip(chunks, pictures, strict=True)
        for at in range(position, position + count)
    ]
    got = attention.prefill_attention(
        queries, cache, tables, int32(blocks), int32(last_keys), window
    )
    wanted, row = [], 0
    for chunk, (position, count) in enumerate(chunks):
        for i in range(count):
            begin = 0 if window is None else position + i + 1 - window
            wanted.append(attend(queries[row], cache, tables[chunk], last_keys[row] + 1, begin))
            row += 1
    assert error(got, torch.stack(wanted).view(first, -1)) < 5e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("has_norm", [False, True])
@pytest.mark.parametrize("splits", [None, 1, 5])
def test_the_norm_adds_partial_sums_to_the_residual_normalised_if_they_have_a_norm(
    splits: int | None, has_norm: bool, dtype: torch.dtype
) -> None:
    residual, weight = bf16(7, 576), bf16(576).to(dtype)
    product = bf16(7, 576) if splits is None else torch.randn(splits, 7, 576, device="cuda")
    whole = product.float() if splits is None else product.sum(0)
    product_weight = bf16(576).to(dtype) if has_norm else None
    if product_weight is not None:
        whole = whole * torch.rsqrt(whole.pow(2).mean(-1, keepdim=True) + 1e-5)
        whole = whole * product_weight.float()
    wanted = (residual.float() + whole).bfloat16()
    got = fused.add_rms_norm(residual, product, product_weight, weight, 1e-5)
    assert error(residual, wanted.float()) < 5e-3
    x = residual.float()
    normed = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)
    assert error(got, normed * weight.float()) < 5e-3


def test_rope_rotates_queries_and_keys_and_stores_keys_and_values(
    heads: tuple[int, int, int], dtype: torch.dtype
) -> None:
    num_heads, kv_heads, head = heads
    width = (num_heads + 2 * kv_heads) * head
    product, bias = torch.randn(3, 4, width, device="cuda"), bf16(width)
    positions, kv_slots = int32([5, 0, 17, 99]), int32([33, 16, 95, 64])
    angles = torch.outer(torch.arange(100.0), 10000 ** (-torch.arange(0, head, 2) / head)).cuda()
    cache = empty_cache(kv_heads, head, 6, dtype)
    rope = fused.RopeTable(angles.cos(), angles.sin(), None)
    got = fused.rope_and_store_kv(product, bias, None, positions, kv_slots, rope, cache, num_heads)
    whole = (product.sum(0) + bias.float()).view(4, -1, head)
    angle = angles[positions.long()][:, None]
    rotated = whole.clone()
    rotate_(rotated, *signed(angle.cos(), angle.sin()))
    assert error(got, rotated[:, :num_heads]) < 5e-3
    keys, values = cache.read(torch.arange(6, device="cuda"), torch.float32)
    new_keys, new_values = rotated[:, num_heads : num_heads + kv_heads], whole[:, -kv_heads:]
    tolerance = 5e-3 if dtype == torch.bfloat16 else 1e-2
    assert error(keys[:, kv_slots], new_keys.transpose(0, 1)) < tolerance
    assert error(values[:, kv_slots], new_values.transpose(0, 1)) < tolerance
    assert int((keys != 0).any(-1).sum()) == 4 * kv_heads


@pytest.mark.parametrize("rotary", [1, 2])
@pytest.mark.parametrize("axes", [1, 3])
def test_queries_and_keys_are_normalised_and_rotate_by_three_positions_or_in_part(
    heads: tuple[int, int, int], axes: int, rotary: int
) -> None:
    num_heads, kv_heads, head = heads
    pairs = head // 2 // rotary
    product = torch.randn(2, 4, (num_heads + 2 * kv_heads) * head, device="cuda")
    q_norm, k_norm = bf16(head), bf16(head)
    positions = int32([[5, 9, 2], [0, 0, 0], [17, 40, 99], [99, 3, 64]])
    axis = None
    if axes == 3:
        axis = (torch.arange(pairs, device="cuda") % 3).int()
    else:
        positions = positions[:, 0].contiguous()
    angles = torch.outer(torch.arange(100.0), 10000 ** (-torch.arange(pairs) / pairs)).cuda()
    scales = torch.rand(100, device="cuda") + 1 if axes == 1 else None
    rotation = Rotation(angles.cos(), angles.sin(), axis, scales)
    cache, kv_slots = empty_cache(kv_heads, head, 6, torch.bfloat16), int32([33, 16, 95, 64])
    got = fused.rope_and_store_kv(
        product,
        None,
        fused.HeadNorms(q_norm, k_norm, 1e-6),
        positions,
        kv_slots,
        fused.RopeTable(rotation.cos, rotation.sin, rotation.axes, rotation.query_scales),
        cache,
        num_heads,
    )
    whole = product.sum(0).view(4, -1, head)
    normed = whole * torch.rsqrt(whole.pow(2).mean(-1, keepdim=True) + 1e-6)
    cos, sin = signed(*rotation.at(positions.long(), torch.float32))
    queries = normed[:, :num_heads] * q_norm
    new_keys = normed[:, num_heads : num_heads + kv_heads] * k_norm
    for rotating in (queries, new_keys):
        rotate_(rotating, cos, sin)
    queries = rotation.scale(queries, positions.long())
    assert error(got, queries) < 1e-2
    keys, values = cache.read(torch.arange(6, device="cuda"), torch.float32)
    assert error(keys[:, kv_slots], new_keys.transpose(0, 1)) < 1e-2
    assert error(values[:, kv_slots], whole[:, -kv_heads:].transpose(0, 1)) < 5e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int8])
def test_many_tokens_are_rotated_and_stored_as_each_of_them_alone(dtype: torch.dtype) -> None:
    count, num_heads, kv_heads, head = 75, 4, 2, 128
    product = torch.randn(2, count, (num_heads + 2 * kv_heads) * head, device="cuda")
    norms = fused.HeadNorms(bf16(head), bf16(head), 1e-6)
    positions = torch.randint(0, 100, (count, 3), device="cuda", dtype=torch.int32)
    kv_slots = torch.randperm(6 * PAGE, device="cuda")[:count].int()
    angles = torch.outer(torch.arange(100.0), 10000 ** (-torch.arange(64.0) / 64)).cuda()
    axes = (torch.arange(64, device="cuda") % 3).int()
    rope = fused.RopeTable(angles.cos(), angles.sin(), axes)
    together, alone = (empty_cache(kv_heads, head, 6, dtype) for _ in range(2))
    got = fused.rope_and_store_kv(
        product, None, norms, positions, kv_slots, rope, together, num_heads
    )
    for i in range(count):
        one = slice(i, i + 1)
        wanted = fused.rope_and_store_kv(
            product[:, one], None, norms, positions[one], kv_slots[one], rope, alone, num_heads
        )
        assert error(got[one], wanted.float()) < 1e-3
    for mine, other in ((together.keys, alone.keys), (together.values, alone.values)):
        assert error(mine, other.float()) < 5e-3


@pytest.mark.parametrize("head", [72, 80, 64])
def test_a_towers_queries_and_keys_are_rotated_as_transformers_does(head: int) -> None:
    qkv = bf16(50, 3, 16, head)
    angles = torch.rand(50, head // 2, device="cuda") * 6
    cos, sin = torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin()
    wanted = apply_rotary_pos_emb_vision(qkv[:, 0], qkv[:, 1], cos, sin)
    for got, rotated in zip(vision_rotation.rotate(qkv, cos, sin), wanted, strict=True):
        assert error(got, rotated.float()) < 1e-3


def test_the_kernel_stores_the_same_int8_values_as_plain_torch() -> None:
    product = torch.randn(7, 3 * 4 * 64, device="cuda") * 3
    positions, kv_slots = int32([0] * 7), int32([3, 18, 40, 5, 77, 90, 16])
    rope = fused.RopeTable(
        torch.ones(1, 32, device="cuda"), torch.zeros(1, 32, device="cuda"), None
    )
    mine, plain = (empty_cache(4, 64, 6, torch.int8) for _ in range(2))
    fused.rope_and_store_kv(product, None, None, positions, kv_slots, rope, mine, 4)
    _, keys, values = product.bfloat16().float().view(7, 3, 4, 64).unbind(1)
    plain.write(kv_slots.long(), torch.cat([keys, values], 1))
    for got, wanted in ((mine.keys, plain.keys), (mine.values, plain.values)):
        assert int((got.int() - wanted.int()).abs().max()) <= 1  # halves may round either way
    assert mine.key_scales is not None
    assert plain.key_scales is not None
    assert torch.allclose(mine.key_scales, plain.key_scales, rtol=2e-3)


def test_embeddings_are_looked_up_in_host_memory() -> None:
    table = torch.randn(500, 576).bfloat16().pin_memory()
    tokens = torch.tensor([3, 499, 0, 3], device="cuda")
    assert torch.equal(fused.embed(table, tokens).cpu(), table[tokens.cpu()])
    assert fused.embed(table, tokens[:0]).shape == (0, 576)


@pytest.mark.parametrize("size", [640, 1024, 337, 336, 100, 1999])
def test_pictures_are_resized_as_pillow_resizes_them(size: int) -> None:
    pixels = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8)
    wanted = Image.fromarray(pixels.numpy()).resize((336, 336), Image.Resampling.BICUBIC)
    got = resize.resize_bicubic(pixels.cuda(), 336)
    assert torch.equal(got.cpu(), torch.from_numpy(np.array(wanted)))


def test_the_activation_multiplies_both_halves() -> None:
    product = torch.randn(2, 5, 2 * 1408, device="cuda")
    gate, up = product.sum(0).chunk(2, -1)
    assert error(fused.gate_mul(product), torch.nn.functional.silu(gate) * up) < 5e-3
    gelu = torch.nn.functional.gelu(gate, approximate="tanh")
    assert error(fused.gate_mul(product, "gelu"), gelu * up) < 5e-3


class TestSampling:
    rows = 6

    def choose(self, logits: Tensor, **given: object) -> list[int]:
        rows = logits.shape[0]
        usual = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "seed": 0, "position": 0}
        values = usual | given

        def row(name: str, dtype: torch.dtype) -> Tensor:
            value = torch.tensor(values[name], device="cuda")
            return value.expand(rows).to(dtype).contiguous()

        chosen = sampling.sample(
            logits,
            row("temperature", torch.float32),
            row("top_p", torch.float32),
            row("top_k", torch.int32),
            row("seed", torch.int32),
            row("position", torch.int32),
        )
        return [int(token) for token in chosen]

    def test_temperature_zero_is_greedy(self) -> None:
        logits = bf16(self.rows, 32064)
        wanted = logits.float().argmax(-1)
        got = self.choose(logits, temperature=0.0)
        assert torch.equal(logits[range(self.rows), got], logits[range(self.rows), wanted])

    @pytest.mark.parametrize("size", [9001, 151_936])
    def test_nothing_outside_top_p_and_top_k_is_sampled(self, size: int) -> None:
        logits = torch.randn(self.rows, size, device="cuda") * 3
        top_p, top_k = [0.5, 1.0, 0.9, 1.0, 1e-4, 0.7], [0, 3, 20, 1, 0, 2]
        for seed in range(30):
            got = self.choose(logits, temperature=0.8, top_p=top_p, top_k=top_k, seed=seed)
            for i, token in enumerate(got):
                values, ids = (logits[i] / 0.8).sort(descending=True)
                if top_k[i]:
                    values, ids = values[: top_k[i]], ids[: top_k[i]]
                chances = values.softmax(-1)
                kept = (chances.cumsum(-1) - chances) < top_p[i] + 1e-5
                assert token in ids[kept].tolist()

    def test_sampled_frequencies_match_the_probabilities(self) -> None:
        logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]], device="cuda").expand(4000, 4).contiguous()
        got = torch.tensor(self.choose(logits, temperature=0.7, position=list(range(4000))))
        shares = got.bincount(minlength=4) / 4000
        assert torch.allclose(shares, (logits[0].cpu() / 0.7).softmax(-1), atol=0.03)

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_a_row_that_holds_no_numbers_gets_no_token_and_the_others_theirs(
        self, temperature: float, value: float
    ) -> None:
        logits = torch.randn(self.rows, 32003, device="cuda")
        before = self.choose(logits, temperature=temperature, top_p=0.9)
        broken = logits.clone()
        broken[0, 7] = broken[2, 32002] = value
        broken[4] = value
        got = self.choose(broken, temperature=temperature, top_p=0.9)
        assert [got[i] for i in (0, 2, 4)] == [-1, -1, -1]
        assert [got[i] for i in (1, 3, 5)] == [before[i] for i in (1, 3, 5)]
        broken[:] = -torch.inf  # everything suppressed: any token that exists
        assert all(0 <= token < 32003 for token in self.choose(broken, temperature=temperature))

    def test_a_seed_gives_the_same_token_in_every_batch(self) -> None:
        logits = torch.randn(8, 32000, device="cuda")
        together = self.choose(logits, seed=list(range(8)), position=5)
        alone = [self.choose(logits[i : i + 1], seed=i, position=5)[0] for i in range(8)]
        assert together == alone
