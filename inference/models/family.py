"""What the engine must know about a family of models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.models.images import open_picture
from inference.types import Limitation, Message, Picture, Sampling

DEFAULT_CONTEXT_TOKENS = 2048


def _any_model(_config: Any, _template: str | None) -> bool:
    return True


def _as_it_is(picture: Image.Image, _processor: Any) -> Image.Image:
    return picture


def _no_bound(_processor: Any) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One row of the table."""

    name: str
    model_types: frozenset[str]
    """`config.model_type` of its checkpoints."""
    render: Callable[[Any, tuple[Message, ...]], str]
    """(processor, messages) → the prompt, with one placeholder a picture."""
    fits: Callable[[Any, str | None], bool] = _any_model
    """(config, the checkpoint's own chat template) → whether the row is meant."""
    fit_picture: Callable[[Image.Image, Any], Image.Image] = _as_it_is
    """(RGB picture, processor) → what the processor shall read."""
    least_px: Callable[[Any], int | None] = _no_bound
    """(processor) → see `open_picture`."""
    max_pictures: int = 4
    needs_picture: bool = False
    """The model cannot answer without a picture."""
    context_tokens: int | None = None
    """A bound below what the config allows."""
    turn_marks: tuple[str, str] | None = None
    """What stands before a question and before its answer in the prompt, where these are plain
    text: an answer ends before the next turn; see `inference.prompts.next_turn`."""
    sampling: Sampling = field(default_factory=Sampling)
    limitations: tuple[Limitation, ...] = ()
    languages: tuple[str, ...] = ()
    """See `ModelInfo.languages`."""

    def picture_for(self, picture: Picture, processor: Any) -> Image.Image:
        """Decode a picture and make it what the processor shall read."""
        return self.fit_picture(open_picture(picture, self.least_px(processor)), processor)

    def context_of(self, config: Any, wanted: int | None) -> int:
        """Tokens of context: the least of the model's, the row's and the operator's bound."""
        text_config = config.get_text_config(decoder=True)
        model = getattr(text_config, "max_position_embeddings", None) or DEFAULT_CONTEXT_TOKENS
        return min(bound for bound in (model, self.context_tokens, wanted) if bound is not None)
