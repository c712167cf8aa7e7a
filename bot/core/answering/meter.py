"""What an answer costs, read from the engine's events as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from bot.values.usage import Spent
from inference.types import Finished, GenerationEvent, Started, TextDelta


class Meter:
    """Of one answer. Whatever ends it, what it has cost by then is known."""

    def __init__(
        self, report: Callable[[Spent], None], *, model: str, pictures: int, prompt_tokens: int
    ) -> None:
        """`report`: called with each change, from the device starting on the question."""
        self._report = report
        self._spent = Spent(model=model, pictures=pictures, prompt_tokens=prompt_tokens)
        self._started_at: float | None = None

    def saw(self, event: GenerationEvent) -> None:
        """Count an event.

        The engine's own figures come at its end. Until then a piece of text counts as a token, of
        which it may hold several.
        """
        match event:
            case Started():
                self._started_at = monotonic()
            case TextDelta():
                so_far = self._elapsed_s()
                self._spent = replace(
                    self._spent,
                    generated_tokens=self._spent.generated_tokens + 1,
                    first_token_s=self._spent.first_token_s or so_far,
                    generation_s=so_far,
                )
            case Finished():
                self._spent = replace(
                    self._spent,
                    prompt_tokens=event.prompt_tokens,
                    generated_tokens=event.new_tokens,
                    first_token_s=event.first_token_s,
                    generation_s=event.total_s,
                )
            case _:
                return
        self._report(self._spent)

    def _elapsed_s(self) -> float:
        return 0 if self._started_at is None else monotonic() - self._started_at
