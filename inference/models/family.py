"""A family of models: what the engine must know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.models.images import open_picture
from inference.thinking import Thinking, Wrapping
from inference.types import Limitation, Message, Picture, PictureBound, Sampling

DEFAULT_CONTEXT_TOKENS = 2048


def _any_model(_config: Any, _template: str | None) -> bool:
    return True


def _unchanged(picture: Image.Image, _processor: Any) -> Image.Image:
    return picture


def _no_bound(_processor: Any) -> int | None:
    return None


def _no_grid(_pixels: Mapping[str, Any], _processor: Any) -> tuple[int, int] | None:
    return None


def _image_token(processor: Any) -> str:
    return str(processor.image_token)


def _one_size(_processor: Any, _tokens: int) -> PictureBound | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One row of the table."""

    name: str
    model_types: frozenset[str]
    """`config.model_type` of its checkpoints."""
    render: Callable[[Any, tuple[Message, ...]], str]
    """(processor, messages) → the prompt's text, with one placeholder per picture."""
    fits: Callable[[Any, str | None], bool] = _any_model
    """(config, the checkpoint's own chat template) → whether a checkpoint belongs to it."""
    fit_picture: Callable[[Image.Image, Any], Image.Image] = _unchanged
    """(RGB picture, processor) → the picture to preprocess."""
    min_px: Callable[[Any], int | None] = _no_bound
    """(processor) → see `open_picture`."""
    bound_picture: Callable[[Any, int], PictureBound | None] = _one_size
    """(processor, tokens) → how large pictures are seen; from then on the processor shrinks larger
    ones, so that none takes more tokens. None where a picture's tokens do not follow its size."""
    tower_px: Callable[[Any], int | None] = _no_bound
    """(processor) → see `ModelInfo.tower_px`."""
    grid_of: Callable[[Mapping[str, Any], Any], tuple[int, int] | None] = _no_grid
    """(a picture's tensors, processor) → rows and columns of its embeddings, where the positions
    of tokens follow them."""
    placeholder: Callable[[Any], str] = _image_token
    """(processor) → the token that stands for one embedding of a picture."""
    picture_text: Callable[[Any], str] = _image_token
    """(processor) → what its processor writes for a picture, its placeholders as one."""
    attends_both_ways: bool = False
    """A picture's tokens attend to all others of it, not only to earlier ones."""
    max_pictures: int = 4
    needs_picture: bool = False
    """The model cannot answer without a picture."""
    context_tokens: int | None = None
    """Upper bound of the context, below what the config allows."""
    thinking: Thinking = Thinking.NONE
    always_thinks: bool = False
    """Its checkpoints think unless a switch of their template, or their `wrapping`, prevents it."""
    wrapping: Wrapping | None = None
    turn_marks: tuple[str, str] | None = None
    """The text before a question and before its answer in the prompt, if it is plain text rather
    than a token: see `inference.prompts.next_turn`."""
    sampling: Sampling = field(default_factory=Sampling)
    limitations: tuple[Limitation, ...] = ()
    reads_text: bool = False
    """See `ModelInfo.reads_text`; only where `bound_picture` says how large pictures are seen."""
    languages: tuple[str, ...] = ()
    """See `ModelInfo.languages`."""

    def picture_for(self, picture: Picture, processor: Any) -> Image.Image:
        """Decode a picture and fit it for the processor."""
        return self.fit_picture(open_picture(picture, self.min_px(processor)), processor)

    def context_of(self, config: Any, wanted: int | None) -> int:
        """Return the context in tokens: the least of the model's, the row's and the operator's."""
        text_config = config.get_text_config(decoder=True)
        model = getattr(text_config, "max_position_embeddings", None) or DEFAULT_CONTEXT_TOKENS
        return min(bound for bound in (model, self.context_tokens, wanted) if bound is not None)

    def picture_tokens(self, context: int, *, max_pictures: int, wanted: int | None) -> int:
        """Return the most tokens that a picture may take.

        Args:
            context: of the model, in tokens.
            max_pictures: most pictures per prompt.
            wanted: by the operator; None shares the context among all pictures.
        """
        room = context * 3 // 4  # the rest is for words
        return max(1, room // max_pictures if wanted is None else min(room, wanted))
