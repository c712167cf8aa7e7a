"""Keys and values written to pages are read back: exactly, or nearly so in 8 bits."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from inference.execution.kv_cache import KVCache, page_bytes
from inference.execution.shape import DecoderShape
from inference.scheduling.pages import PAGE_TOKENS

SHAPE = DecoderShape(hidden=0, heads=4, kv_heads=2, head=16, layers=3, eps=0)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 0.0), (torch.bfloat16, 3e-3), (torch.int8, 6e-3)]
)
def test_tokens_are_read_where_they_were_written(dtype: torch.dtype, tolerance: float) -> None:
    cache = KVCache(SHAPE, 5, dtype=dtype, device=torch.device("cpu"))
    slots = torch.randperm(5 * PAGE_TOKENS)[:20]
    keys, values = torch.randn(2, 20, 2, 16)
    cache.layer(1).write(slots, torch.cat([keys, values], 1))
    read = cache.layer(1).read(torch.arange(5), torch.float32)
    for got, wanted in zip(read, (keys, values), strict=True):
        error = (got[:, slots].transpose(0, 1) - wanted).norm() / wanted.norm()
        assert float(error) <= tolerance
        assert int((got != 0).any(-1).sum()) == 20 * 2
    assert not any(part.any() for part in cache.layer(0).read(torch.arange(5), torch.float32))


def test_several_tables_are_read_at_once() -> None:
    cache = KVCache(SHAPE, 5, dtype=torch.float32, device=torch.device("cpu"))
    slots = torch.arange(5 * PAGE_TOKENS)
    cache.layer(0).write(slots, torch.randn(len(slots), 4, 16))
    tables = torch.tensor([[4, 1], [2, 3]])
    both, _ = cache.layer(0).read(tables, torch.float32)
    for row, table in enumerate(tables):
        alone, _ = cache.layer(0).read(table, torch.float32)
        assert torch.equal(both[row], alone)


def test_page_bytes_is_the_size_of_a_page() -> None:
    assert page_bytes(SHAPE, torch.bfloat16) == 2 * 3 * 2 * PAGE_TOKENS * 16 * 2
    assert page_bytes(SHAPE, torch.int8) == 2 * 3 * 2 * PAGE_TOKENS * (16 + 2)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_cache_on_a_cpu_takes_memory_as_it_is_written_to() -> None:
    shape = DecoderShape(hidden=0, heads=4, kv_heads=4, head=64, layers=8, eps=0)
    cache = KVCache(shape, 1024, dtype=torch.bfloat16, device=torch.device("cpu"))
    for index in range(shape.layers):
        cache.layer(index).write(torch.tensor([5]), torch.ones(1, 8, 64))
    whole = cache._by_token
    assert whole is not None
    middle = whole.data_ptr() + whole.nbytes // 2
    assert _resident_kib(middle) < 1024  # of 128 MiB


def _resident_kib(address: int) -> int:
    """What the mapping takes that an address lies in."""
    is_it = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            is_it = int(found[1], 16) <= address < int(found[2], 16)
        elif is_it and line.startswith("Rss:"):
            return int(line.split()[1])
    raise AssertionError("nothing is mapped there")
