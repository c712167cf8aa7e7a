"""One step on a CUDA device: the decoder's operations, and the step in flight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.execution.decoder import Decoder, Layer
from inference.execution.kv_cache import KVCache
from inference.execution.runner import SequenceInputs, new_tokens_of, reported
from inference.kernels import fused
from inference.kernels.layer_cache import LayerCache
from inference.scheduling.sequences import Plan


@dataclass(slots=True)
class CudaStep:
    """Implements `decoder.Operations` for one step.

    Shapes: kv_slots int32[tokens]; positions too, or [tokens, 3]: see `Rotation`.
    """

    decoder: Decoder
    cache: KVCache
    positions: Tensor
    kv_slots: Tensor
    attention: Callable[[Tensor, LayerCache, int | None], Tensor]
    """(queries, cache, window) → see `Operations.attend`."""

    def add_rms_norm(
        self,
        residual: Tensor,
        product: Tensor | None,
        product_norm: Tensor | None,
        weight: Tensor,
        eps: float,
    ) -> Tensor:
        """See `Operations.add_rms_norm`."""
        return fused.add_rms_norm(residual, product, product_norm, weight, eps)

    def rope_and_store_kv(self, index: int, layer: Layer, product: Tensor) -> Tensor:
        """See `Operations.rope_and_store_kv`."""
        shape, rotation = self.decoder.shape, layer.rotation
        norms = None
        if layer.q_norm is not None and layer.k_norm is not None:
            norms = fused.HeadNorms(layer.q_norm, layer.k_norm, shape.eps)
        return fused.rope_and_store_kv(
            product,
            layer.qkv_bias,
            norms,
            self.positions,
            self.kv_slots,
            fused.RopeTable(rotation.cos, rotation.sin, rotation.axes, rotation.query_scales),
            self.cache.layer(index),
            shape.heads,
        )

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        """See `Operations.attend`."""
        return self.attention(queries, self.cache.layer(index), layer.window)

    def gate_mul(self, product: Tensor) -> Tensor:
        """See `Operations.gate_mul`."""
        return fused.gate_mul(product, self.decoder.shape.activation)


@dataclass(frozen=True, slots=True)
class CudaStepInFlight:
    """Implements `StepInFlight`."""

    plan: Plan[SequenceInputs]
    event: torch.cuda.Event
    decoded: Tensor
    num_decoded: int
    """Rows."""
    prefilled: Tensor
    num_prefilled: int

    def wait(self) -> list[list[int]]:
        """See `StepInFlight.wait`."""
        self.event.synchronize()
        decoded = reported(self.decoded[: self.num_decoded].tolist())
        prefilled = reported(self.prefilled[: self.num_prefilled].tolist())
        return new_tokens_of(self.plan, decoded) + [[token] for token in prefilled]
