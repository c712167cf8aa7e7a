"""A prefill's embeddings: its text tokens', with pictures in place of placeholders."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import torch
from torch import Tensor

from inference.device import is_out_of_memory, to_device
from inference.execution.decoder import Decoder
from inference.execution.runner import SequenceFailed, SequenceInputs
from inference.execution.vision import VisionEncoder
from inference.scheduling.prefix_tree import PictureSpan
from inference.scheduling.sequences import PrefillChunk, Sequence
from inference.types import Picture

Run: TypeAlias = list[int] | Tensor
"""Text tokens, or some of a picture's embeddings: see `VisionEncoder.encode`."""


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
    runs: list[Run] = []
    for chunk in chunks:
        sequence, at = chunk.sequence, chunk.start
        inputs = sequence.inputs
        for span, picture in zip(inputs.prompt.spans, inputs.prompt.pictures, strict=True):
            first, last = max(span.start, at), min(span.end, chunk.end)
            if first < last:
                runs.append(sequence.tokens[at:first])
                runs += _picture_runs(vision, sequence, span, picture, first, last)
                at = last
        runs.append(sequence.tokens[at : chunk.end])
    texts = [run for run in runs if isinstance(run, list)]
    tokens = torch.tensor([token for text in texts for token in text], dtype=torch.int64)
    embedded = decoder.embed(to_device(tokens, decoder.device))
    text_embeddings = iter(embedded.split([len(text) for text in texts]))
    residual = torch.cat(
        [next(text_embeddings) if isinstance(run, list) else run[0] for run in runs]
    )
    return Embedded(residual, _deepstack(decoder, runs))


def _picture_runs(
    vision: VisionEncoder,
    sequence: Sequence[SequenceInputs],
    span: PictureSpan,
    picture: Picture,
    first: int,
    last: int,
) -> list[Run]:
    """The runs of a picture's span from token `first` up to `last`. Raises: SequenceFailed."""
    tokens = sequence.tokens[span.start : span.end]
    placeholder = tokens[0]
    embeddings = _encode(vision, sequence, picture, tokens.count(placeholder))
    used = tokens[: first - span.start].count(placeholder)
    runs: list[Run] = []
    for token, same in groupby(tokens[first - span.start : last - span.start]):
        text = list(same)
        if token == placeholder:
            runs.append(embeddings[:, used : used + len(text)])
            used += len(text)
        else:
            runs.append(text)
    return runs


def _deepstack(decoder: Decoder, runs: list[Run]) -> Tensor | None:
    levels = decoder.shape.deepstack
    if not levels or all(isinstance(run, list) for run in runs):
        return None
    like = decoder.norm
    parts = [
        like.new_zeros(levels, len(run), len(like), dtype=decoder.dtype)
        if isinstance(run, list)
        else run[1:]
        for run in runs
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
