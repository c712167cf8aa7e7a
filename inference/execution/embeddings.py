"""A prefill's embeddings: its text tokens', with pictures in place of placeholders."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

import torch
from torch import Tensor

from inference.device import is_out_of_memory, to_device
from inference.execution.decoder import Decoder
from inference.execution.runner import SequenceFailed, SequenceInputs
from inference.execution.vision import VisionEncoder
from inference.scheduling.scheduler import PrefillChunk, Sequence
from inference.types import Picture


def embeddings_of(
    decoder: Decoder, vision: VisionEncoder, chunks: SequenceOf[PrefillChunk[SequenceInputs]]
) -> Tensor:
    """Embed the tokens of chunks, one after the other, with pictures in place of placeholders.

    Returns: [tokens, hidden], which the caller may overwrite.
    """
    text_tokens: list[int] = []
    runs: list[int | Tensor] = []  # a number of text tokens, or a picture's embeddings
    for chunk in chunks:
        sequence, at = chunk.sequence, chunk.start
        inputs = sequence.inputs
        for span, picture in zip(inputs.prompt.spans, inputs.prompt.pictures, strict=True):
            first, last = max(span.start, at), min(span.end, chunk.end)
            if first < last:
                text_tokens += sequence.tokens[at:first]
                embeddings = _encode(vision, sequence, picture, span.end - span.start)
                embeddings = embeddings[first - span.start : last - span.start]
                runs += [first - at, embeddings]
                at = last
        text_tokens += sequence.tokens[at : chunk.end]
        runs.append(chunk.end - at)
    embedded = decoder.embed(
        to_device(torch.tensor(text_tokens, dtype=torch.int64), decoder.device)
    )
    counts = [run for run in runs if isinstance(run, int)]
    text_embeddings = iter(embedded.split(counts))
    return torch.cat([next(text_embeddings) if isinstance(run, int) else run for run in runs])


def _encode(
    vision: VisionEncoder, sequence: Sequence[SequenceInputs], picture: Picture, length: int
) -> Tensor:
    """The embeddings of one of a sequence's pictures. Raises: SequenceFailed."""
    inputs = sequence.inputs
    try:
        embeddings = vision.encode(inputs.prompt, picture)
    except Exception as exc:
        # Memory and the device belong to every sequence.
        if is_out_of_memory(exc) or isinstance(exc, torch.AcceleratorError):
            raise
        raise SequenceFailed(sequence) from exc
    if len(embeddings) != length:
        mismatch = ValueError(f"{len(embeddings)} embeddings for {length} placeholders")
        raise SequenceFailed(sequence) from mismatch
    return embeddings
