"""The pocket's vision tower, as transformers knows towers.

The tower's hidden size is the number of named concepts, slot by slot (:class:`Columns`); LLaVA's
own projector turns that into word vectors. The networks that find things (:meth:`PocketVisionModel.
eyes`) travel with it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from inference.pocket.colours import PROTOTYPES, colour_shares, pixel_colours
from inference.pocket.concepts import ROWS, Columns
from inference.pocket.efficientnet import GRID, NUM_CLASSES, SIDE_PX, EfficientNetLite2
from inference.pocket.rows import Seen, compose, guess
from inference.pocket.seeing.detector import NanoDet
from inference.pocket.seeing.heads import Heads
from inference.pocket.seeing.looking import Eyes
from inference.pocket.seeing.vocabulary import load_vocabulary

NUM_ROWS = len(ROWS)
_NUM_PROTOTYPES = sum(len(codes.split()) for codes in PROTOTYPES.values())
_HALF = GRID // 2  # columns of the grid on either side of the middle one


class PocketVisionConfig(PreTrainedConfig):
    """Sizes of the tower; `hidden_size` is the number of features in a row."""

    model_type = "pocket_vision"

    def __init__(self, num_kinds: int = 1, **kwargs: Any) -> None:
        self.num_kinds = num_kinds
        self.hidden_size = Columns(NUM_CLASSES + num_kinds).num_features
        self.image_size = SIDE_PX
        self.patch_size = SIDE_PX
        self.num_rows = NUM_ROWS
        super().__init__(**{k: v for k, v in kwargs.items() if k not in _DERIVED})


_DERIVED = frozenset(["hidden_size", "image_size", "patch_size", "num_rows"])


class PocketVisionModel(PreTrainedModel):
    """Pictures in, rows of named concepts out."""

    config_class = PocketVisionConfig
    main_input_name = "pixel_values"
    input_modalities = "image"
    _no_split_modules = ["EfficientNetLite2", "NanoDet"]  # noqa: RUF012 - transformers' contract

    # Buffers, so that they travel with the weights: the tower needs no file beside them.
    membership: Tensor
    name_lengths: Tensor
    prototypes: Tensor
    prototype_owners: Tensor

    def __init__(self, config: PocketVisionConfig) -> None:
        super().__init__(config)
        vocabulary = load_vocabulary()
        self.net = EfficientNetLite2()
        self.detector = NanoDet()
        self.heads = Heads(len(vocabulary.emoji), len(vocabulary.groceries))
        num_concepts = NUM_CLASSES + config.num_kinds
        self.register_buffer("membership", torch.zeros(NUM_CLASSES, config.num_kinds))
        self.register_buffer("name_lengths", torch.ones(num_concepts, dtype=torch.long))
        self.register_buffer("prototypes", torch.zeros(_NUM_PROTOTYPES, 3))
        self.register_buffer("prototype_owners", torch.zeros(_NUM_PROTOTYPES, dtype=torch.long))
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The layer that first reads the picture."""
        return self.net.stem

    def eyes(self) -> Eyes:
        """What finds things, on the CPU in float32; shares the weights where it can."""
        source = self
        if self.device.type != "cpu" or self.dtype != torch.float32:
            source = copy.deepcopy(self)
            nn.Module.to(source, "cpu", torch.float32)
        for network in (source.net, source.detector):  # a third quicker on a CPU
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Eyes(
            net=source.net,
            detector=source.detector,
            heads=source.heads,
            vocabulary=load_vocabulary(),
            membership=source.membership.float(),
            prototypes=source.prototypes.float(),
            owners=source.prototype_owners,
        )

    @torch.no_grad()
    def see(self, pixel_values: Tensor) -> Seen:
        """Look at pictures. Shape: (batch, 3, 260, 260), RGB as (x - 127) / 128."""
        grid = self.net(pixel_values.to(self.net.stem.weight.dtype)).float()
        halves = [
            grid[..., :_HALF],
            grid[..., -_HALF:],
            grid[..., :_HALF, :],
            grid[..., -_HALF:, :],
        ]
        logits = grid.mean((2, 3))
        best = logits.argmax(-1)
        activation = grid[torch.arange(len(best), device=best.device), best]
        pixels = pixel_colours(pixel_values, self.prototypes.float(), self.prototype_owners)
        colours, background = colour_shares(pixels, activation)
        return Seen(
            probabilities=logits.softmax(-1),
            regions=torch.stack([half.mean((2, 3)).softmax(-1) for half in halves], dim=1),
            colours=colours,
            background=background,
        )

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Shape: (batch, 3, 260, 260) -> last_hidden_state (batch, num_rows, num_features)."""
        guesses = guess(self.see(pixel_values), self.membership.float())
        rows = compose(guesses, self.name_lengths).to(self.net.stem.weight.dtype)
        return BaseModelOutputWithPooling(last_hidden_state=rows, hidden_states=(rows,))


def register() -> None:
    """Make the Auto classes know the tower; harmless when called again."""
    AutoConfig.register(PocketVisionConfig.model_type, PocketVisionConfig, exist_ok=True)
    AutoModel.register(PocketVisionConfig, PocketVisionModel, exist_ok=True)


register()
