"""What Prometheus reads: names, units and labels by its conventions.

No label holds a user, a channel, a thread or anybody's words.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.monitoring.health import Health
from bot.values.messages import Ending, IncomingMessage

PREFIX = "llava_bot_"
FIRST_TOKEN_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
GENERATION_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 900)


class Metrics:
    """Counts as questions end; reads the rest when it is asked."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._questions = Counter(
            f"{PREFIX}questions",
            "Questions that ended, by how: answered, stopped or refused.",
            ("platform", "outcome"),
            registry=self._registry,
        )
        self._first_token = Histogram(
            f"{PREFIX}time_to_first_token_seconds",
            "From the device starting on a question to its first token.",
            buckets=FIRST_TOKEN_S,
            registry=self._registry,
        )
        self._generation = Histogram(
            f"{PREFIX}generation_seconds",
            "From the device starting on a question to its end.",
            buckets=GENERATION_S,
            registry=self._registry,
        )

    def watch(self, health: Health) -> None:
        """Show the state of the bot, too."""
        self._registry.register(_State(health))

    def question_ended(self, message: IncomingMessage, ending: Ending) -> None:
        """Count a question that got its answer or its sentence."""
        self._questions.labels(message.key.platform, ending.outcome.value).inc()
        if ending.timings:
            self._first_token.observe(ending.timings["first_token_s"])
            self._generation.observe(ending.timings["total_s"])

    def exposition(self) -> bytes:
        """All metrics, in Prometheus' text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is true at the moment of a scrape."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """See `Collector.collect`."""
        health = self._health
        store = health.store
        for name, meaning, value in (
            ("ready", "1: the model is loaded and the store works.", health.is_ready),
            ("model_loaded", "1: the model is loaded.", health.is_model_loaded),
            ("store_works", "1: the latest transactions of the store succeeded.", store.works),
            (
                "questions_in_flight",
                "Questions that are claimed, or about to be, and have not ended.",
                health.num_in_flight,
            ),
            (
                "store_late_writes",
                "Writes that wait until the store works again.",
                store.late_writes,
            ),
        ):
            yield GaugeMetricFamily(f"{PREFIX}{name}", meaning, value=float(value))
        yield CounterMetricFamily(
            f"{PREFIX}store_lost_writes",
            "Late writes that were given up.",
            value=float(store.lost_writes),
        )
