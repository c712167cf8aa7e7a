"""Whether the bot can answer now, and what is missing where it cannot."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.core.answer import Answers
from bot.store import Store
from bot.store.health import StoreHealth
from bot.values.presence import Presence, Presences
from inference.metrics import Gauge, named
from inference.types import ModelInfo

STEP_WITHIN_S = 30.0
"""A device whose step takes longer is not ready. (After two minutes the process ends.)"""


class Health:
    """Reads the state of a running bot; keeps none. Any thread may ask."""

    def __init__(
        self,
        answers: Answers,
        store: Store,
        *,
        presences: Presences | None = None,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`folder`: where the bot's data lies."""
        self._answers = answers
        self._store = store
        self._presences = presences or Presences()
        self._folder = folder
        self._clock = clock

    @property
    def model(self) -> ModelInfo | None:
        """The model that answers where a channel chose no other; `None` until it is loaded."""
        return self._answers.model

    @property
    def is_model_loaded(self) -> bool:
        """Whether questions are answered, rather than kept until the model is loaded."""
        return self.model is not None

    @property
    def num_in_flight(self) -> int:
        """How many questions are claimed, or about to be, and not ended."""
        return self._answers.num_in_flight

    @property
    def store(self) -> StoreHealth:
        """How the store is."""
        return self._store.health

    @property
    def platforms(self) -> list[Presence]:
        """Those that run."""
        return self._presences.all()

    @property
    def disk_free_bytes(self) -> int | None:
        """Room where the bot's data lies; `None`: not known. Asks the disk: not on the loop."""
        if self._folder is None:
            return None
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return None

    @property
    def step_age_s(self) -> float | None:
        """How long a device has been in one step, the longest of all; `None`: none is in any."""
        in_step, steps = named("device_in_step"), named("last_step_timestamp_seconds")
        if not isinstance(in_step, Gauge) or not isinstance(steps, Gauge):
            return None
        # Its step's begin is noted before a device is in it: so the begins are read last.
        devices = [device for device, is_in_step in in_step.read().items() if is_in_step]
        latest = steps.read()
        busy = [latest[device] for device in devices if device in latest]
        return max(0.0, self._clock() - min(busy)) if busy else None

    @property
    def missing(self) -> list[str]:
        """What keeps the bot from answering, or from hearing: `model`, `store`, `step`, platforms.

        A platform whose connection another process holds is not missing.
        """
        step_age_s = self.step_age_s
        parts = {
            "model": self.is_model_loaded,
            "store": self.store.works,
            "step": step_age_s is None or step_age_s <= STEP_WITHIN_S,
        }
        away = (one.platform for one in self.platforms if not (one.is_connected or one.stands_by))
        return [*(part for part, is_there in parts.items() if not is_there), *away]

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def to_json(self) -> dict[str, Any]:
        """For `/readyz`."""
        store, progress, step_age_s = self.store, self._answers.load_progress, self.step_age_s
        return {
            "ready": self.is_ready,
            "missing": self.missing,
            "model": "loaded" if progress is None else progress.phase.value,
            "last_step_age_s": None if step_age_s is None else round(step_age_s, 1),
            "platforms": {one.platform: self._platform(one) for one in self.platforms},
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

    def _platform(self, presence: Presence) -> dict[str, Any]:
        return {
            "connected": presence.is_connected,
            "standby": presence.stands_by,
            "for_s": self._age(presence.since),
            "last_event_age_s": self._age(presence.last_event_at),
        }

    def _age(self, at: float | None) -> float | None:
        return None if at is None else round(max(0.0, self._clock() - at), 1)
