"""How to answer, as far as the operator chooses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.core.presets import Presets
from bot.values.cleaning import clean_words
from bot.values.turns import ChannelSettings
from inference.types import Sampling

AGAIN_TEMPERATURE = 0.6
"""Asked again, a model that samples greedily must be able to give another answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """What the operator chooses; `None` leaves it to the model."""

    system_prompt: str | None = field(default=None, repr=False)
    temperature: float | None = None
    max_new_tokens: int | None = None
    presets: Presets = field(default_factory=Presets, repr=False, compare=False)
    reads_pictures: bool = False
    """Text in pictures is read for models (`bot.images.reading`)."""
    looks_closer: bool = True
    """Parts of pictures are shown at full size to questions about them."""
    timeout_s: float = 900
    """How long an answer may take, from the device starting on it."""

    def __post_init__(self) -> None:
        """Clean what was written: an environment may hold anything."""
        if self.system_prompt is not None:
            object.__setattr__(self, "system_prompt", clean_words(self.system_prompt))

    def sampling(
        self, defaults: Sampling, *, again: bool, channel: ChannelSettings | None = None
    ) -> Sampling:
        """The model's defaults with the operator's choices, then the channel's.

        It is livelier where a question is asked again.
        """
        sampling = defaults
        for chosen in (self, channel):
            if chosen is not None and chosen.temperature is not None:
                sampling = replace(sampling, temperature=chosen.temperature)
            if chosen is not None and chosen.max_new_tokens is not None:
                sampling = replace(sampling, max_new_tokens=chosen.max_new_tokens)
        if again:
            temperature = max(sampling.temperature, AGAIN_TEMPERATURE)
            sampling = replace(sampling, temperature=temperature)
        return sampling
