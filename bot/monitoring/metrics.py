"""What Prometheus reads: names, units and labels by its conventions.

Everything that `inference.metrics` has been told is shown, and the state of the bot as `Health`
finds it. No label holds a user, a channel, a thread or anybody's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bot.monitoring.health import Health
from inference.metrics import Counter, Distribution, Gauge, Histogram, declared

PREFIX = "llava_bot_"
COUNTER_SUFFIX = "_total"


class Metrics:
    """The text that a scrape gets. Keeps nothing itself."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Counted())
        # The process's own, under the names that every exporter has: memory, CPU, open files.
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def watch(self, health: Health) -> None:
        """Show the state of the bot, too."""
        self._registry.register(_State(health))

    def exposition(self) -> bytes:
        """All metrics, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Counted(Collector):
    """What the modules count."""

    def collect(self) -> Iterable[Metric]:
        """See `Collector.collect`."""
        for metric in declared():
            name, meaning, labels = f"{PREFIX}{metric.name}", metric.meaning, metric.labels
            match metric:
                case Counter():
                    counts = CounterMetricFamily(name, meaning, labels=labels)
                    for values, count in metric.read().items():
                        counts.add_metric(values, count)
                    yield counts
                case Gauge():
                    gauge = GaugeMetricFamily(name, meaning, labels=labels)
                    for values, value in metric.read().items():
                        gauge.add_metric(values, value)
                    yield gauge
                case Histogram():
                    yield _histogram(metric, name)


def _histogram(metric: Histogram, name: str) -> Metric:
    family = HistogramMetricFamily(name, metric.meaning, labels=metric.labels)
    for values, seen in metric.read().items():
        family.add_metric(values, buckets=_buckets(seen, metric.bounds), sum_value=seen.total)
    return family


def _buckets(seen: Distribution, bounds: Sequence[float]) -> list[tuple[str, float]]:
    """As Prometheus has them: cumulative, the last without a bound."""
    names = [*map(floatToGoString, bounds), "+Inf"]
    return list(zip(names, accumulate(seen.counts), strict=True))


class _State(Collector):
    """What is true at the moment of a scrape."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        health, store = self._health, self._health.store
        info = GaugeMetricFamily(
            f"{PREFIX}info", "1; what runs.", labels=("version", "model", "engine")
        )
        model = health.model
        info.add_metric(
            (version("llava-bot"), model.name if model else "", model.engine if model else ""), 1
        )
        yield info
        for name, meaning, value in (
            (
                "ready",
                "1: the model is loaded, the store works, the platforms run.",
                health.is_ready,
            ),
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
            ("disk_free_bytes", "Room where the bot's data lies.", health.disk_free_bytes),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"{PREFIX}{name}", meaning, value=float(value))
        yield CounterMetricFamily(
            f"{PREFIX}store_lost_writes",
            "Late writes that were given up.",
            value=float(store.lost_writes),
        )
