"""Sample the next token in plain torch; `kernels.sampling` does it on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inference.types import Sampling

# Options of a checkpoint's generation config that `LogitsProcessors` does not implement.
UNSUPPORTED = (
    "bad_words_ids",
    "begin_suppress_tokens",
    "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty",
    "epsilon_cutoff",
    "eta_cutoff",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "guidance_scale",
    "min_length",
    "min_new_tokens",
    "min_p",
    "no_repeat_ngram_size",
    "num_beams",
    "sequence_bias",
    "typical_p",
    "watermarking_config",
)
# Values with which these options have no effect.
_ONE = ("encoder_repetition_penalty", "guidance_scale", "num_beams", "typical_p")
_NEUTRAL: dict[str, tuple[object, ...]] = {
    name: (None, 1) if name in _ONE else (None, 0, False, [], {}) for name in UNSUPPORTED
} | {"min_length": (None, 0, 1)}  # which counts the prompt


def unsupported_processor(generation_config: Any) -> str | None:
    """Return an option a generation config sets that the fast path lacks; None if there is none."""
    asked = (
        name for name in UNSUPPORTED if getattr(generation_config, name, None) not in _NEUTRAL[name]
    )
    return next(asked, None)


class LogitsProcessors:
    """Logits processors that a checkpoint's generation config sets for every request.

    The same as transformers' processors of these names.
    """

    def __init__(self, generation_config: Any, device: torch.device) -> None:
        """Take the config of a model that transformers has loaded."""
        self.repetition_penalty = float(generation_config.repetition_penalty or 1.0)
        """Divides the logits of tokens in the sequence; multiplies negative ones."""
        suppressed = generation_config.suppress_tokens
        self._suppressed = torch.tensor(suppressed, device=device) if suppressed else None

    @property
    def needs_seen(self) -> bool:
        """Whether `apply` needs to know which tokens the sequence contains."""
        return self.repetition_penalty != 1

    def apply(self, logits: Tensor, seen: Tensor | None) -> Tensor:
        """Return the logits to sample from.

        Args:
            logits: [..., vocabulary].
            seen: bool[..., vocabulary], tokens in the sequence; see `needs_seen`.
        """
        if seen is not None:
            by = self.repetition_penalty
            logits = torch.where(seen, torch.where(logits < 0, logits * by, logits / by), logits)
        if self._suppressed is not None:
            logits = logits.index_fill(-1, self._suppressed, -torch.inf)
        return logits


def seen_tokens(tokens: Sequence[int], vocabulary: int) -> Tensor:
    """Return which tokens a sequence contains: bool[vocabulary], on the CPU."""
    seen = torch.zeros(vocabulary, dtype=torch.bool)
    seen[torch.tensor(tokens)] = True
    return seen


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Sample the next token.

    Args:
        logits: [vocabulary].
        sampling: temperature 0 is greedy; top-k applies before top-p, as in transformers.
        generator: per request, so results do not depend on batching.
    """
    if sampling.temperature == 0:
        return int(logits.argmax())
    scaled = logits.float() / sampling.temperature
    if not sampling.top_k and sampling.top_p >= 1:
        return _draw(scaled.softmax(-1), generator)
    values, ids = scaled.sort(descending=True)
    if sampling.top_k:
        values, ids = values[: sampling.top_k], ids[: sampling.top_k]
    chances = values.softmax(-1)
    before = chances.cumsum(-1) - chances
    chances = torch.where(before < sampling.top_p, chances, 0.0)
    return int(ids[_draw(chances, generator)])


def _draw(chances: Tensor, generator: torch.Generator) -> int:
    """Draw an index with one random number; `multinomial` draws one for each chance.

    Args:
        chances: [n], in any unit.
        generator: on the CPU.

    Raises:
        ValueError: nothing has a chance.
    """
    below = chances.double().cumsum(-1)
    if not float(below[-1]) > 0:  # nor is it NaN
        raise ValueError("no token has a chance")
    drawn = torch.rand((), dtype=torch.float64, generator=generator) * below[-1]
    at = int(torch.searchsorted(below, drawn, right=True))
    # Rounding may end at the very top: the last that has a chance.
    return at if at < len(below) else int(torch.searchsorted(below, below[-1]))
