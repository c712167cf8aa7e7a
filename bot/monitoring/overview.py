"""What the admin's page shows: numbers, names of platforms and workspaces, nobody's words."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.monitoring.health import Health
from bot.monitoring.history import NOTHING, History, Sample, quantile, total
from bot.monitoring.problems import problems
from bot.store import Store, StoreFailed
from bot.texts import catalogue, language_of
from bot.values.limits import QuestionBounds
from bot.values.presence import Presence
from bot.values.usage import FAILED
from inference.metrics import Gauge, named

DAYS = 14
MOST_REASONS = 8
MOST_PEOPLE = 8
MOST_PLACES = 50
POINTS = 60
"""Of a chart; samples between them are left out."""
VALUE = re.compile(r"\{[^}]*\}")
"""Of a sentence: none is known where sentences are counted."""
TTFT = "time_to_first_token_seconds"


class Overview:
    """Reads the bot, its metrics and its usage. On the event loop."""

    def __init__(
        self,
        health: Health,
        store: Store,
        history: History,
        *,
        bounds: QuestionBounds | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`bounds`: whose quotas of a day are shown."""
        self._bounds = bounds or QuestionBounds()
        self._health = health
        self._store = store
        self._history = history
        self._clock = clock
        self._started_at = clock()

    async def to_json(self, locale: str) -> dict[str, Any]:
        """Everything at once; sentences in the reader's language."""
        now, health = self._clock(), self._health
        free_bytes = await asyncio.to_thread(lambda: health.disk_free_bytes)
        usage = await self._usage(locale)
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        ended = [row for row in usage["days"] if row["day"] == today]
        model = health.model
        return {
            "at": now,
            "up_s": now - self._started_at,
            "ready": health.is_ready,
            "problems": [
                asdict(problem)
                for problem in problems(
                    health,
                    locale,
                    now=now,
                    free_bytes=free_bytes,
                    ended=sum(row["questions"] for row in ended),
                    failed=sum(row["questions"] for row in ended if row["outcome"] == FAILED),
                )
            ],
            "model": model and {"name": model.name, "device": model.device, "path": model.engine},
            "platforms": [_platform(one) for one in health.platforms],
            "now": self._now(),
            "history": self._hour(),
            "memory": _memory(),
            "disk_free_bytes": free_bytes,
            **usage,
        }

    # -- the engine ---------------------------------------------------------------------------

    def _now(self) -> dict[str, Any]:
        sample = self._history.take()
        oldest = self._history.samples[0]
        last_hour = _since(oldest, sample)
        queries, hits = total("prefix_cache_queries"), total("prefix_cache_hits")
        return {
            "in_flight": self._health.num_in_flight,
            "waiting": sample.waiting,
            "running": sample.running,
            "first_token_s": {
                "p50": quantile(last_hour, TTFT, 0.5),
                "p95": quantile(last_hour, TTFT, 0.95),
                "of_s": round(sample.at - oldest.at),
            },
            "cache_hits": hits / queries if queries else None,
            "cache_usage": _largest("kv_cache_usage_perc"),
        }

    def _hour(self) -> list[dict[str, Any]]:
        samples = list(self._history.samples)
        every = max(1, -(-len(samples) // POINTS))
        return [
            {"at": round(one.at), "waiting": one.waiting, "running": one.running}
            for one in samples[::-1][::every][::-1]
        ]

    # -- people -------------------------------------------------------------------------------

    async def _usage(self, locale: str) -> dict[str, Any]:
        """What the store has counted; without it empty: a failing store is a problem shown."""
        sums = self._store.usage.sums
        try:
            days = await sums("day", "platform", "outcome", days=DAYS)
            reasons = await sums("reason", days=DAYS)
            people = await sums("platform", "person", days=1, limit=MOST_PEOPLE)
            quotas = await self._store.usage.quotas_in_use(self._bounds, most=MOST_PEOPLE)
            good, bad = await self._store.replies.ratings(age=timedelta(days=DAYS))
        except StoreFailed:
            days, reasons, people, quotas, good, bad = (), (), (), [], 0, 0
        sentences = catalogue(language_of(locale))
        return {
            "days": [
                {
                    "day": one.day.isoformat(),
                    "platform": one.platform,
                    "outcome": one.outcome,
                    "questions": one.questions,
                }
                for one in days
                if one.day is not None
            ],
            "reasons": [
                {
                    "reason": one.reason,
                    "words": VALUE.sub("…", sentences.get(one.reason, one.reason)),
                    "questions": one.questions,
                }
                for one in reasons
                if one.reason
            ][:MOST_REASONS],
            "people": [
                {"platform": one.platform, "person": one.person, "questions": one.questions}
                for one in people
                if one.person
            ],
            "quotas": [
                {
                    "platform": one.platform,
                    "whose": one.whose,
                    "bound": one.quota.bound,
                    "left": one.quota.left,
                    "limit": one.quota.limit,
                    "renews_at": one.quota.renews_at,
                }
                for one in quotas
            ],
            "feedback": {"good": good, "bad": bad},
        }


def _since(oldest: Sample, latest: Sample) -> Any:
    seen, before = latest.first_token, oldest.first_token
    return seen if before is NOTHING or not before.counts else seen - before


def _platform(presence: Presence) -> dict[str, Any]:
    return {
        "platform": presence.platform,
        "connected": presence.is_connected,
        "standby": presence.stands_by,
        "since": presence.since,
        "last_event_at": presence.last_event_at,
        "places": list(presence.places())[:MOST_PLACES],
    }


def _memory() -> list[dict[str, Any]]:
    used, all_of_it = named("gpu_memory_used_bytes"), named("gpu_memory_total_bytes")
    if not isinstance(used, Gauge) or not isinstance(all_of_it, Gauge):
        return []
    sizes = all_of_it.read()
    return [
        {"device": device, "used_bytes": bytes_, "total_bytes": sizes.get((device,), 0)}
        for (device,), bytes_ in sorted(used.read().items())
    ]


def _largest(name: str) -> float | None:
    metric = named(name)
    return max(metric.read().values(), default=None) if isinstance(metric, Gauge) else None
