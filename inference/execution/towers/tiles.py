"""Towers over tiles of one size: SmolVLM's and Idefics3's, InternVL's, and Gemma 3's.

A picture is cut into tiles, and the whole picture comes as one more. Each tile is encoded by
itself; pixel shuffle then joins neighbouring patches, which the projector turns into embeddings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inference.device import to_device
from inference.execution.cuda_graphs import CudaGraphRecorder, GraphedFunction
from inference.execution.towers.usual_sizes import USUAL_PX
from inference.prompts.pixel_store import Pixels
from inference.prompts.preprocessing import ImagePreprocessor


class TiledTower(ABC):
    """Implements `Tower`."""

    def __init__(self, weights: Any, preprocessor: ImagePreprocessor) -> None:
        """Take the whole model, as transformers loaded it, and its pictures' preprocessor."""
        self._model = weights.model
        self._preprocessor = preprocessor
        self._device: torch.device = weights.device
        self._graphed: dict[int, GraphedFunction[Tensor]] = {}

    def capture(self, recorder: CudaGraphRecorder) -> None:
        """See `Tower.capture`: the numbers of tiles that pictures of the usual sizes have."""
        blanks = [self._tiles_of(self._preprocessor.blank(size)) for size in USUAL_PX]
        largest = max(blanks, key=len)
        # One for all graphs: they never run at the same time, and each result is up to 30 MB.
        results = torch.empty_like(self._forward(largest))
        # Largest first: the smaller graphs reuse its memory.
        for count in sorted({len(tiles) for tiles in blanks}, reverse=True):
            graphed = GraphedFunction(partial(self._forward_into, results[:count]))
            graphed.capture(largest[:count], recorder)
            self._graphed[count] = graphed

    def encode(self, inputs: Pixels) -> Tensor:
        """See `Tower.encode`."""
        tiles = self._tiles_of(inputs)
        graphed = self._graphed.get(len(tiles))
        encoded = self._forward(tiles) if graphed is None else graphed(tiles).clone()
        return encoded.flatten(0, 1)[None]

    def _forward_into(self, result: Tensor, tiles: Tensor) -> Tensor:
        return result.copy_(self._forward(tiles))

    def _tiles_of(self, inputs: Pixels) -> Tensor:
        """Return [tiles, 3, side, side], on the device."""
        pixels = inputs["pixel_values"].flatten(0, -4).to(self._model.dtype)
        return to_device(pixels, self._device)

    @abstractmethod
    def _forward(self, tiles: Tensor) -> Tensor:
        """Encode [tiles, 3, side, side]. Returns: [tiles, tokens, hidden]."""


class IdeficsTower(TiledTower):
    """SmolVLM's and Idefics3's: SigLIP, whose position embeddings follow a tile's patches."""

    def __init__(self, weights: Any, preprocessor: ImagePreprocessor) -> None:
        """See `TiledTower`."""
        super().__init__(weights, preprocessor)
        self._positions: dict[tuple[int, int], Tensor] = {}

    def _forward(self, tiles: Tensor) -> Tensor:
        # Not `get_image_features`: it drops empty tiles and asks whether a mask masks anything,
        # for both of which the host would wait.
        tower = self._model.vision_model
        rows, columns = (side // tower.patch_size for side in tiles.shape[-2:])
        if (rows, columns) not in self._positions:
            self._positions[rows, columns] = self._positions_of(tiles[:1], rows, columns)
        positions = tower.embeddings.position_embedding(self._positions[rows, columns])
        patches = tower.embeddings.patch_embedding(tiles).flatten(2).transpose(1, 2)
        encoded = tower.encoder(inputs_embeds=patches + positions, attention_mask=None)
        projected: Tensor = self._model.connector(tower.post_layernorm(encoded.last_hidden_state))
        return projected

    def _positions_of(self, tile: Tensor, rows: int, columns: int) -> Tensor:
        """Which position embedding each patch of a tile gets, int64[1, rows * columns].

        Found out once per size: transformers before 5.23 makes the host wait for it, which no
        CUDA graph can record.
        """
        embeddings = self._model.vision_model.embeddings
        found: list[Tensor] = []
        hook = embeddings.position_embedding.register_forward_pre_hook(
            lambda _, args: found.append(args[0])
        )
        mask = torch.ones(1, rows, columns, dtype=torch.bool, device=tile.device)
        try:
            embeddings(pixel_values=tile, patch_attention_mask=mask)
        finally:
            hook.remove()
        return found[0]


class InternVLTower(TiledTower):
    """InternVL's: InternViT, whose class token is left out."""

    def _forward(self, tiles: Tensor) -> Tensor:
        config = self._model.config
        found = self._model.get_image_features(
            pixel_values=tiles,
            vision_feature_layer=config.vision_feature_layer,
            vision_feature_select_strategy=config.vision_feature_select_strategy,
        )
        return found.pooler_output  # type: ignore[no-any-return]


class Gemma3Tower(TiledTower):
    """Gemma 3's: SigLIP over the whole picture, as one tile, whose patches are averaged."""

    def _forward(self, tiles: Tensor) -> Tensor:
        found = self._model.get_image_features(pixel_values=tiles)
        return found.pooler_output  # type: ignore[no-any-return]
