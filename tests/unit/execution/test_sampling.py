"""The next token in plain torch: drawn as often as its chance says."""

from __future__ import annotations

import pytest
import torch

from inference.execution.sampling import _draw, choose
from inference.types import Sampling


def test_tokens_are_drawn_as_often_as_their_chances_say() -> None:
    generator = torch.Generator().manual_seed(3)
    chances = torch.tensor([0.0, 0.5, 0.2, 0.0, 0.3, 0.0])
    drawn = torch.tensor([_draw(chances, generator) for _ in range(4000)])
    found = torch.bincount(drawn, minlength=6) / len(drawn)
    assert not found[chances == 0].any()
    assert torch.allclose(found, chances, atol=0.04)  # five standard deviations


def test_what_rounding_puts_past_the_end_is_the_last_token_that_has_a_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.ones((), dtype=torch.float64))
    chances = torch.tensor([0.4, 0.6, 0.0])
    assert _draw(chances, torch.Generator()) == 1


@pytest.mark.parametrize("temperature", [5e-324, 1e-320, 1e-40, 1e-30, 9e-6])
def test_a_temperature_that_float32_cannot_divide_by_takes_the_likeliest(
    temperature: float,
) -> None:
    sampling = Sampling(temperature=temperature)
    assert sampling.temperature == 0
    logits = torch.tensor([0.0, 3.0, 2.5, -1.0])
    assert choose(logits, sampling, torch.Generator()) == 1
    assert choose(logits, Sampling(temperature=1e-5), torch.Generator()) == 1


def test_top_k_and_top_p_leave_the_likeliest_tokens() -> None:
    logits = torch.tensor([0.0, 3.0, 2.5, -1.0])
    generator = torch.Generator().manual_seed(3)
    few = Sampling(temperature=1.0, top_k=2)
    assert {choose(logits, few, generator) for _ in range(100)} == {1, 2}
    nucleus = Sampling(temperature=1.0, top_p=0.5)
    assert {choose(logits, nucleus, generator) for _ in range(100)} == {1}
