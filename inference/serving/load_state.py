"""How far the load is, for everybody who waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from inference.progress import LoadCancelled, LoadProgress, Phase, Progress, RateMeter


class LoadState:
    """Implements `inference.progress.Progress`: keeps the latest report, and passes it on.

    Written on the device threads, one of which loads at a time; read on any thread.
    """

    def __init__(self, *others: Progress) -> None:
        self._others: Sequence[Progress] = others
        self._meter = RateMeter()
        self._cancelled = False
        self.latest = LoadProgress(phase=Phase.STARTING)

    def report(self, progress: LoadProgress) -> None:
        """See `Progress.report`."""
        if self._cancelled:
            raise LoadCancelled
        self.latest = self._meter.measured(progress)
        for other in self._others:
            other.report(progress)

    def say(self, line: str) -> None:
        """See `Progress.say`."""
        for other in self._others:
            other.say(line)

    def cancel(self) -> None:
        """Have the load end at its next report."""
        self._cancelled = True
