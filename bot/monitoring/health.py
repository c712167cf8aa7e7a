"""Whether the bot can answer now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bot.core.answer import Answers
from bot.store import Store
from bot.store.health import StoreHealth


class Health:
    """Reads the state of a running bot; keeps none."""

    def __init__(
        self, answers: Answers, store: Store, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._answers = answers
        self._store = store
        self._clock = clock

    @property
    def is_model_loaded(self) -> bool:
        """Whether questions are answered, rather than kept until the model is loaded."""
        return self._answers.model is not None

    @property
    def num_in_flight(self) -> int:
        """How many questions are claimed, or about to be, and not ended."""
        return self._answers.num_in_flight

    @property
    def store(self) -> StoreHealth:
        """How the store is."""
        return self._store.health

    @property
    def is_ready(self) -> bool:
        """Whether the bot can answer, and keep what it answers."""
        return self.is_model_loaded and self.store.works

    def to_json(self) -> dict[str, Any]:
        """For `/readyz`."""
        store, progress = self.store, self._answers.load_progress
        return {
            "ready": self.is_ready,
            "model": "loaded" if progress is None else progress.phase.value,
            "questions_in_flight": self.num_in_flight,
            "store": {
                "works": store.works,
                "outages": [
                    {
                        "kind": outage.kind,
                        "reason": outage.reason,
                        "for_s": round(self._clock() - outage.since, 1),
                    }
                    for outage in store.outages
                ],
                "late_writes": store.late_writes,
                "lost_writes": store.lost_writes,
            },
        }
