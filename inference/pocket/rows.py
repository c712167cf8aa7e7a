"""From class probabilities and colours to the rows that the projector reads.

A row holds one-hots of *named* concepts: the column of a concept's slot carries, in the projector,
the vector of that token of its name. The names are one-hots of the best guesses and not the whole
mixture of probabilities: a mixture of two names of several tokens is a salad of word pieces, while
the second guess in rows of its own can be said ("a minibus or a trolleybus"). How probable each
guess is stands in its label row as a point between two buckets.

Training and looking share this one function, so the projector meets at work what it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from inference.pocket.concepts import (
    BUCKETS,
    KIND_SURE,
    REGIONS,
    ROWS,
    SECOND_COLOUR,
    Columns,
)
from inference.pocket.efficientnet import NUM_CLASSES


@dataclass(frozen=True)
class Seen:
    """What the tower saw in a batch of pictures.

    Shapes: probabilities (batch, 1000); regions (batch, 4, 1000), in the order of REGIONS; colours
    and background (batch, 11). Each sums to one over its last axis.
    """

    probabilities: Tensor
    regions: Tensor
    colours: Tensor
    background: Tensor


@dataclass(frozen=True)
class Guesses:
    """The choices that the rows tell: indices (batch,) and probabilities (batch,)."""

    first: Tensor
    first_probability: Tensor
    second: Tensor
    second_probability: Tensor
    kind: Tensor
    kind_probability: Tensor
    region: Tensor  # (batch, 4)
    region_probability: Tensor  # (batch, 4)
    colour: Tensor  # (batch, 2): first and second
    has_second_colour: Tensor  # (batch,), bool
    background: Tensor


def guess(seen: Seen, membership: Tensor) -> Guesses:
    """Choose what to tell.

    The kind is the narrowest one whose classes together are sure enough, even where no single class
    is; failing that, the narrowest kind of the best class.

    Args:
        membership: (1000, num_kinds), 1 where the class belongs to the kind.
    """
    top = seen.probabilities.topk(2, dim=-1)
    mass = seen.probabilities @ membership
    size = membership.sum(0)
    sure_size = torch.where(mass >= KIND_SURE, size, torch.inf)
    own_size = torch.where(membership[top.indices[:, 0]] > 0, size, torch.inf)
    any_sure = (mass >= KIND_SURE).any(-1)
    kind = torch.where(any_sure, sure_size.argmin(-1), own_size.argmin(-1))
    region = seen.regions.max(-1)
    colour = seen.colours.topk(2, dim=-1)
    return Guesses(
        first=top.indices[:, 0],
        first_probability=top.values[:, 0],
        second=top.indices[:, 1],
        second_probability=top.values[:, 1],
        kind=kind,
        kind_probability=mass.gather(-1, kind[:, None])[:, 0],
        region=region.indices,
        region_probability=region.values,
        colour=colour.indices,
        has_second_colour=colour.values[:, 1] >= SECOND_COLOUR,
        background=seen.background.argmax(-1),
    )


def bucket_weights(probability: Tensor) -> Tensor:
    """Place probabilities between the two nearest buckets. Shape: (...) -> (..., num_buckets)."""
    centres = probability.new_tensor(BUCKETS)
    clamped = probability.clamp(0, 1)
    upper = torch.searchsorted(centres, clamped.contiguous()).clamp(1, len(BUCKETS) - 1)
    low, high = centres[upper - 1], centres[upper]
    part = ((clamped - low) / (high - low))[..., None]
    return F.one_hot(upper - 1, len(BUCKETS)) * (1 - part) + F.one_hot(upper, len(BUCKETS)) * part


def compose(guesses: Guesses, name_lengths: Tensor) -> Tensor:
    """Write the guesses into rows.

    Args:
        guesses: what to tell.
        name_lengths: (num_concepts,), tokens in each concept's name; classes, then kinds.

    Returns:
        float32[batch, num_rows, num_features]. In each row the concept part (names, colours,
        buckets, blank) sums to one, and so does the role part.
    """
    num_classes = NUM_CLASSES
    columns = Columns(len(name_lengths))
    batch = guesses.first.shape[0]
    rows = torch.zeros(batch, len(ROWS), columns.num_features, device=guesses.first.device)
    rows[:, range(len(ROWS)), range(columns.roles, columns.roles + len(ROWS))] = 1.0
    named: dict[str, tuple[Tensor, Tensor]] = {
        "first": (guesses.first, guesses.first_probability),
        "second": (guesses.second, guesses.second_probability),
        "kind": (guesses.kind + num_classes, guesses.kind_probability),
    }
    for i, region in enumerate(REGIONS):
        named[region] = (guesses.region[:, i], guesses.region_probability[:, i])
    start = columns.buckets
    for index, row in enumerate(ROWS):
        if row.label is not None:
            if row.group in named:
                rows[:, index, start : start + len(BUCKETS)] = bucket_weights(named[row.group][1])
            else:
                rows[:, index, columns.blank] = 1.0
            continue
        if row.group in named:
            concept = named[row.group][0]
            empty = name_lengths[concept] <= row.slot
            column = row.slot * columns.num_concepts + concept
        elif row.group == "colour":
            empty = torch.full_like(guesses.first, row.slot == 1, dtype=torch.bool)
            empty = empty & ~guesses.has_second_colour
            column = columns.colours + guesses.colour[:, row.slot]
        else:
            empty = torch.zeros_like(guesses.first, dtype=torch.bool)
            column = columns.colours + guesses.background
        column = torch.where(empty, columns.blank, column)
        rows[:, index].scatter_(1, column[:, None], 1.0)
    return rows
