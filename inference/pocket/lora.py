"""Low-rank adapters: trained beside the frozen weights, then added into them.

Source: Hu et al., https://arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

RANK = 16
SCALE = 2.0  # alpha / rank
ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LoraLinear(nn.Module):
    """A frozen linear layer plus a low-rank change."""

    def __init__(self, base: nn.Linear, rank: int = RANK) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self.active = True  # False: answer as the untouched model would
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (..., in_features) -> (..., out_features)."""
        out: Tensor = self.base(x)
        if not self.active:
            return out
        change: Tensor = (x @ self.down.T) @ self.up.T
        return out + SCALE * change


def add_lora(model: nn.Module) -> dict[str, LoraLinear]:
    """Replace every adapted linear layer in place; return the new layers by their names."""
    adapted: dict[str, LoraLinear] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.rsplit(".", 1)[-1] in ADAPTED:
            parent = model.get_submodule(name.rpartition(".")[0])
            layer = LoraLinear(module).to(module.weight.device)
            setattr(parent, name.rpartition(".")[2], layer)
            adapted[name] = layer
    return adapted


@torch.no_grad()
def merge_lora(model: nn.Module, delta: dict[str, Tensor]) -> None:
    """Add trained changes to the plain layers in place.

    Args:
        model: the unadapted model.
        delta: "NAME.down" (rank, in) and "NAME.up" (out, rank) for each adapted layer.

    Raises:
        AttributeError: the delta names a layer that the model has not.
    """
    for key, down in delta.items():
        if key.endswith(".down"):
            name = key.removesuffix(".down")
            layer = model.get_submodule(name)
            assert isinstance(layer, nn.Linear)  # noqa: S101 - ADAPTED names linear layers only
            layer.weight += SCALE * (delta[name + ".up"].float() @ down.float())
