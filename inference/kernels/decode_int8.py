"""Paged decode attention over an int8 KV cache: see ``decode_int8.cu``."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from inference.kernels.attention import merged, partial_results
from inference.kernels.cuda_source import Kernel, compile_source
from inference.kernels.layer_cache import LayerCache

SOURCE = Path(__file__).with_name("decode_int8.cu")
HEADS = frozenset({64, 128})
"""Sizes of heads that it supports."""
THREADS = 128
"""Per block; each of its four warps reads a page."""
BLOCKS = 6
"""Blocks that fill a multiprocessor."""


class DecodeInt8:
    """The compiled kernel, for one head size and one number of query heads per KV head."""

    def __init__(self, cache_dir: Path, *, head: int, heads: int, kv_heads: int) -> None:
        """Compile the kernel, or load it from `cache_dir`. Raises: KernelUnavailable."""
        per_kv = heads // kv_heads
        self._kv_heads = kv_heads
        padded = 1 << (per_kv - 1).bit_length()
        macros = {"HEAD": head, "PER_KV": per_kv, "PER_KV_PADDED": padded}
        self._kernel = Kernel(compile_source(SOURCE, macros, cache_dir), "decode")

    def __call__(
        self,
        queries: Tensor,
        cache: LayerCache,
        tables: Tensor,
        lengths: Tensor,
        shared_lengths: Tensor,
        group_members: Tensor,
        splits: int,
    ) -> Tensor:
        """See `attention.decode_attention`; the cache is in int8."""
        assert cache.key_scales is not None  # noqa: S101 - for the type checker
        assert cache.value_scales is not None  # noqa: S101
        num_seqs, groups = len(queries), len(group_members)
        partial, weights = partial_results(queries, splits)
        self._kernel.launch(
            (groups + num_seqs, self._kv_heads, splits),
            THREADS,
            [
                queries,
                cache.keys,
                cache.values,
                cache.key_scales,
                cache.value_scales,
                tables,
                lengths,
                shared_lengths,
                group_members,
                partial,
                weights,
                groups,
                self._kv_heads,
                splits,
                tables.stride(0),
            ],
            overlapping=True,
        )
        return merged(partial, weights, shared_lengths)
