"""`/llava status`: which model answers and how busy it is; for admins, also how the bot is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from bot.core.in_flight import InFlightQuestions
from bot.store import Store
from bot.texts import duration, say
from bot.values.presence import Presence, Presences
from inference.engine import Engines
from inference.metrics import Gauge, named

RATINGS_DAYS = 30


class StatusReport:
    """Reads the state of a running bot; keeps none."""

    def __init__(
        self,
        *,
        store: Store,
        questions: InFlightQuestions,
        engine: Engines,
        presences: Presences | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._questions = questions
        self._engine = engine
        self._presences = presences or Presences()
        self._clock = clock

    async def of(self, platform: str, team: str, locale: str, *, is_admin: bool) -> str:
        """In the language of a locale. Raises: StoreFailed."""
        lines = [await self._model(platform, team, locale)]
        if is_admin:
            lines += self._for_admins(locale)
        return "\n".join(lines)

    async def _model(self, platform: str, team: str, locale: str) -> str:
        model = self._engine.model
        if model is None:
            return say(locale, "status_of_loading", count=self._questions.count)
        good, bad = await self._store.replies.ratings(
            platform, team, age=timedelta(days=RATINGS_DAYS)
        )
        return say(
            locale,
            "status",
            model=model.name,
            device=model.device,
            count=self._questions.count,
            good=good,
            bad=bad,
            days=RATINGS_DAYS,
        )

    def _for_admins(self, locale: str) -> Iterator[str]:
        waiting, running = _total("num_requests_waiting"), _total("num_requests_running")
        if waiting is not None and running is not None:
            yield say(locale, "status_device", waiting=waiting, running=running)
        for presence in self._presences.all():
            yield self._connection(presence, locale)
        for outage in self._store.health.outages:
            for_ = duration(locale, self._clock() - outage.since)
            yield say(locale, "status_store_fails", wait=for_, reason=outage.reason)

    def _connection(self, presence: Presence, locale: str) -> str:
        name = presence.platform
        if presence.stands_by:
            return say(locale, "status_standby", platform=name)
        if presence.since is None:
            return say(locale, "status_never_connected", platform=name)
        now = self._clock()
        since = duration(locale, now - presence.since)
        if not presence.is_connected:
            return say(locale, "status_not_connected", platform=name, time=since)
        if presence.last_event_at is None:
            return say(locale, "status_connected", platform=name, time=since)
        event = duration(locale, now - presence.last_event_at)
        return say(locale, "status_connected_event", platform=name, time=since, event=event)


def _total(name: str) -> int | None:
    """Of a gauge's series; `None`: nothing has declared it."""
    metric = named(name)
    return int(sum(metric.read().values())) if isinstance(metric, Gauge) else None
