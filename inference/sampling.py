"""Choose a token by a request's rules, in plain torch; `kernels.sampling` does so on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.types import Sampling


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Choose the next token.

    Args:
        logits: [vocabulary].
        sampling: temperature 0 takes the likeliest; top-k goes before top-p, as in transformers.
        generator: of the request; used up to nobody else's order.
    """
    if sampling.temperature == 0:
        return int(logits.argmax())
    scaled = logits.float() / sampling.temperature
    if not sampling.top_k and sampling.top_p >= 1:
        return int(torch.multinomial(scaled.softmax(-1), 1, generator=generator))
    values, ids = scaled.sort(descending=True)
    if sampling.top_k:
        values, ids = values[: sampling.top_k], ids[: sampling.top_k]
    chances = values.softmax(-1)
    before = chances.cumsum(-1) - chances
    chances = torch.where(before < sampling.top_p, chances, 0.0)
    return int(ids[torch.multinomial(chances, 1, generator=generator)])
