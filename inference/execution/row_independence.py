"""Whether a row's results in a step depend on how many other rows there are.

Libraries multiply one row by other kernels than many, and sum up in another order. The last bits
then differ, and where two tokens are about equally likely, another one is chosen.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inference.execution.decoder import Decoder
from inference.execution.kv_cache import KVCache
from inference.execution.torch_step import TorchRows, TorchStep


@torch.inference_mode()
def fewest_rows(decoder: Decoder, cache: KVCache, most: int) -> int | None:
    """Return from how many rows on results do not depend on their number; None: they do.

    It computes one layer and the head for several numbers of rows, in page 0 of the cache.

    Args:
        decoder: on a CPU.
        cache: its own.
        most: rows, up to PAGE_TOKENS.
    """
    first = Decoder(
        shape=decoder.shape,
        vocabulary=decoder.vocabulary,
        embed=decoder.embed,
        layers=decoder.layers[:1],
        norm=decoder.norm,
        head=decoder.head,
        dtype=decoder.dtype,
    )
    whole = _logits(first, cache, most)
    is_same = {
        rows: torch.equal(_logits(first, cache, rows), whole[:rows])
        for rows in sorted({1, 2, 3, 4, 6, 8, most // 2 + 1, most - 1})
    }
    if not all(same for rows, same in is_same.items() if rows > 1):
        return None
    return 1 if is_same[1] else 2


def _logits(decoder: Decoder, cache: KVCache, count: int) -> Tensor:
    """Logits of a sequence's first tokens, each in a row: [count, vocabulary]."""
    rows, pages = TorchRows(), [0]
    for at in range(count):
        rows.add(pages, at, at)
    step = TorchStep(decoder, cache, rows)
    tokens = torch.arange(count, device=decoder.device) * 37 % decoder.vocabulary
    return decoder.head(decoder.forward(decoder.embed(tokens), step))
