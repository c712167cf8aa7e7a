"""A prefill's embeddings: its text tokens', with pictures in place of placeholders."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.device import is_out_of_memory, to_device
from inference.execution.decoder import Decoder
from inference.execution.runner import SequenceFailed, SequenceInputs
from inference.execution.vision import VisionEncoder
from inference.scheduling.scheduler import PrefillChunk, Sequence
from inference.types import Picture


@dataclass(frozen=True, slots=True)
class Embedded:
    """A prefill's input. The caller may overwrite it."""

    residual: Tensor
    """[tokens, hidden]."""
    deepstack: Tensor | None
    """See `Decoder.forward`; None if it would be zero."""


def embeddings_of(
    decoder: Decoder, vision: VisionEncoder, chunks: SequenceOf[PrefillChunk[SequenceInputs]]
) -> Embedded:
    """Embed the tokens of chunks, one after the other, with pictures in place of placeholders."""
    text_tokens: list[int] = []
    # A number of text tokens, or a picture's embeddings: see `VisionEncoder.encode`.
    runs: list[int | Tensor] = []
    for chunk in chunks:
        sequence, at = chunk.sequence, chunk.start
        inputs = sequence.inputs
        for span, picture in zip(inputs.prompt.spans, inputs.prompt.pictures, strict=True):
            first, last = max(span.start, at), min(span.end, chunk.end)
            if first < last:
                text_tokens += sequence.tokens[at:first]
                embeddings = _encode(vision, sequence, picture, span.end - span.start)
                embeddings = embeddings[:, first - span.start : last - span.start]
                runs += [first - at, embeddings]
                at = last
        text_tokens += sequence.tokens[at : chunk.end]
        runs.append(chunk.end - at)
    embedded = decoder.embed(
        to_device(torch.tensor(text_tokens, dtype=torch.int64), decoder.device)
    )
    counts = [run for run in runs if isinstance(run, int)]
    text_embeddings = iter(embedded.split(counts))
    residual = torch.cat(
        [next(text_embeddings) if isinstance(run, int) else run[0] for run in runs]
    )
    return Embedded(residual, _deepstack(decoder, runs))


def _deepstack(decoder: Decoder, runs: list[int | Tensor]) -> Tensor | None:
    levels = decoder.shape.deepstack
    if not levels or all(isinstance(run, int) for run in runs):
        return None
    like = decoder.norm
    parts = [
        like.new_zeros(levels, run, len(like)) if isinstance(run, int) else run[1:] for run in runs
    ]
    return torch.cat(parts, 1)


def _encode(
    vision: VisionEncoder, sequence: Sequence[SequenceInputs], picture: Picture, length: int
) -> Tensor:
    """The embeddings of one of a sequence's pictures, of a given length. Raises: SequenceFailed."""
    inputs = sequence.inputs
    try:
        embeddings = vision.encode(inputs.prompt, picture)
    except Exception as exc:
        # Memory and the device belong to every sequence.
        if is_out_of_memory(exc) or isinstance(exc, torch.AcceleratorError):
            raise
        raise SequenceFailed(sequence) from exc
    if embeddings.shape[1] != length:
        mismatch = ValueError(f"{embeddings.shape[1]} embeddings for {length} placeholders")
        raise SequenceFailed(sequence) from mismatch
    return embeddings
