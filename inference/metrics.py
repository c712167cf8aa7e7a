"""Counters, gauges and histograms, counted where something happens and read by whatever shows them.

Declared once per module, as in Prometheus' own client, and without it: engine and bot count the
same way, whether or not anybody looks. Nothing here takes a lock, since the device's thread counts
too: each thread has cells of its own, and a reader adds them up.

A label holds one of few values (a platform, a model, a reason), never a person, a channel, a thread
or anybody's words. Beyond `MAX_SERIES` series, and for a value that no name of ours can be, the
label says `other`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import ClassVar, Literal, TypeAlias

Labels: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in its order."""
Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

MAX_SERIES = 200
"""Of one metric."""
OTHER = "other"
_NAME = re.compile(r"[A-Za-z0-9_.:/@=#+ -]{0,120}")
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900)
"""Upper bounds of a histogram's buckets, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's series at one moment."""

    counts: tuple[int, ...]
    """Per bucket, not cumulative; the last one is beyond every bound."""
    total: float
    """The sum of what was observed."""

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)

    def __add__(self, other: Distribution) -> Distribution:
        """Both together; they have the same buckets."""
        counts = (mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True))
        return Distribution(tuple(counts), self.total + other.total)

    def __sub__(self, earlier: Distribution) -> Distribution:
        """What was observed since an earlier moment."""
        counts = (now - then for now, then in zip(self.counts, earlier.counts, strict=True))
        return Distribution(tuple(counts), self.total - earlier.total)

    def quantile(self, share: float, bounds: Sequence[float]) -> float | None:
        """Estimate as Prometheus' `histogram_quantile` does; `None`: nothing was observed."""
        wanted = share * self.count
        below, lower = 0, 0.0
        for count, upper in zip(self.counts, bounds, strict=False):
            if count and below + count >= wanted:
                return lower + (upper - lower) * (wanted - below) / count
            below, lower = below + count, upper
        return bounds[-1] if self.count else None


class Metric:
    """What counters, gauges and histograms have in common."""

    kind: ClassVar[Kind]

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        """`name`: by Prometheus' conventions, without a prefix and without `_total`.

        Raises: ValueError: another metric has the name.
        """
        if name in _declared:
            raise ValueError(f"two metrics are called {name}")
        self.name = name
        self.meaning = meaning
        self.labels = labels
        self._known: dict[Labels, Labels] = {}
        _declared[name] = self

    def _series(self, values: Labels) -> Labels:
        """Return the labels that are counted under. Raises: ValueError: too few, or too many."""
        try:
            return self._known[values]
        except KeyError:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}") from None
        if len(self._known) >= MAX_SERIES:
            return (OTHER,) * len(values)
        series = tuple(value if _NAME.fullmatch(value) else OTHER for value in values)
        self._known[values] = series
        return series


class Counter(Metric):
    """Counts up for as long as the process lives."""

    kind = "counter"

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self._cells: dict[tuple[int, Labels], float] = {}

    def add(self, *values: str, by: float = 1) -> None:
        """Count; `values` are the labels'."""
        cell = (get_ident(), self._series(values))
        self._cells[cell] = self._cells.get(cell, 0) + by

    def read(self) -> Mapping[Labels, float]:
        """Return the count of each series."""
        sums: dict[Labels, float] = {}
        for (_, series), count in self._cells.copy().items():
            sums[series] = sums.get(series, 0) + count
        return sums


class Gauge(Metric):
    """Holds what somebody has set last."""

    kind = "gauge"

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self._values: dict[Labels, float] = {}

    def set(self, value: float, *values: str) -> None:
        """Set; `values` are the labels'."""
        self._values[self._series(values)] = value

    def add(self, by: float, *values: str) -> None:
        """Change by so much. Only where one thread does so per series."""
        series = self._series(values)
        self._values[series] = self._values.get(series, 0) + by

    def read(self) -> Mapping[Labels, float]:
        """Return the value of each series."""
        return self._values.copy()


class Histogram(Metric):
    """Counts observations by size."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Labels = (),
        *,
        bounds: Sequence[float] = SECONDS,
    ) -> None:
        """`bounds`: the buckets' upper ones, ascending."""
        super().__init__(name, meaning, labels)
        self.bounds = tuple(float(bound) for bound in bounds)
        self._cells: dict[tuple[int, Labels], list[float]] = {}

    def observe(self, value: float, *values: str) -> None:
        """Count an observation; `values` are the labels'."""
        cell = (get_ident(), self._series(values))
        try:
            numbers = self._cells[cell]
        except KeyError:
            numbers = self._cells[cell] = [0] * (len(self.bounds) + 2)
        numbers[bisect_left(self.bounds, value)] += 1
        numbers[-1] += value

    def read(self) -> Mapping[Labels, Distribution]:
        """Return the distribution of each series."""
        sums: dict[Labels, Distribution] = {}
        for (_, series), numbers in self._cells.copy().items():
            *counts, total = numbers
            one = Distribution(tuple(int(count) for count in counts), total)
            sums[series] = sums[series] + one if series in sums else one
        return sums

    def read_all(self) -> Distribution:
        """Return the distribution over all series."""
        nothing = Distribution((0,) * (len(self.bounds) + 1), 0)
        return sum(self.read().values(), nothing)


_declared: dict[str, Metric] = {}


def declared() -> list[Metric]:
    """Return every metric that an imported module declares, by name."""
    return [metric for _, metric in sorted(_declared.items())]


def named(name: str) -> Metric | None:
    """Return the metric of that name, if the module that declares it is imported."""
    return _declared.get(name)
