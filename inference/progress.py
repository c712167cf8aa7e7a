"""How far the loading of a model is: what loading reports, and the terminal's view of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, TextIO, TypeVar

from inference.errors import ModelUnavailable

T = TypeVar("T")

REDRAW_S = 0.1
"""A terminal's line is redrawn at most so often."""
LINE_EVERY_S = 30.0
"""A file or a pipe gets a line of figures at most so often."""
BAR_CHARACTERS = 10
RATE_WINDOW_S = 5.0
"""A rate is the mean over about so long."""


class Phase(StrEnum):
    """What is being done."""

    STARTING = "starting"
    CONNECTING = "connecting"
    DOWNLOADING = "downloading"
    BUILDING = "building"
    LOADING = "loading"
    WARMING_UP = "warming_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """How far a phase is. Sizes are in bytes; `None`: not known."""

    phase: Phase
    what: str = ""
    """What is downloaded or built: a file, or a part of the model."""
    done_bytes: int | None = None
    total_bytes: int | None = None
    bytes_per_s: float | None = None

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the phase ends at this rate."""
        if self.done_bytes is None or self.total_bytes is None or not self.bytes_per_s:
            return None
        return max(self.total_bytes - self.done_bytes, 0) / self.bytes_per_s


class Progress(Protocol):
    """What loading calls, on its own thread."""

    def report(self, progress: LoadProgress) -> None:
        """Take how far it is. Raises: LoadCancelled: nobody wants the model any longer."""
        ...

    def say(self, line: str) -> None:
        """Take a sentence for the operator."""
        ...


def reported(
    items: Iterable[T], progress: Progress, phase: Phase, *, what: str = "", total_bytes: int
) -> Iterator[T]:
    """Yield the items, and report what has been done before each. Raises: LoadCancelled."""
    listed = list(items)
    for done, item in enumerate(listed):
        progress.report(
            LoadProgress(
                phase=phase,
                what=what,
                done_bytes=total_bytes * done // len(listed),
                total_bytes=total_bytes,
            )
        )
        yield item


class LoadCancelled(ModelUnavailable):
    """The process ends before the model is loaded."""

    def __init__(self) -> None:
        super().__init__("The model was not loaded: the bot has been stopped.")


class RateMeter:
    """Adds `bytes_per_s` to what is reported, separately for each phase and part."""

    def __init__(self) -> None:
        self._of: tuple[Phase, str] | None = None
        self._begun_s = 0.0
        self._begun_bytes = 0
        self._last_bytes = 0

    def measured(self, progress: LoadProgress) -> LoadProgress:
        """Return the progress with its rate, once enough is known."""
        now, done = time.monotonic(), progress.done_bytes
        of = (progress.phase, progress.what)
        begins = done is None or of != self._of or done < self._last_bytes
        self._last_bytes = done or 0
        if done is None or begins:
            # What is here already (a download that is resumed) has no rate, and one that begins
            # again has lost what it had.
            self._of, self._begun_s, self._begun_bytes = of, now, done or 0
            return progress
        elapsed_s = now - self._begun_s
        if elapsed_s < REDRAW_S:
            return progress
        rate = (done - self._begun_bytes) / elapsed_s
        if elapsed_s > 2 * RATE_WINDOW_S:  # forget the older half of the window
            self._begun_s, self._begun_bytes = now - RATE_WINDOW_S, int(done - rate * RATE_WINDOW_S)
        return replace(progress, bytes_per_s=rate)


class StreamProgress:
    """Implements `Progress` on a stream.

    A terminal has one line that is written over; anything else gets a line when a phase begins and,
    if it lasts, now and then.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = _is_terminal(stream)
        self._meter = RateMeter()
        self._of: tuple[Phase, str] | None = None
        self._written_s = 0.0
        self._width = 0
        """Characters of the line that will be written over."""

    def report(self, progress: LoadProgress) -> None:
        """See `Progress.report`; cancels nothing."""
        now, of = time.monotonic(), (progress.phase, progress.what)
        measured = self._meter.measured(progress)
        pause_s = REDRAW_S if self._rewrites else LINE_EVERY_S
        if of == self._of and now - self._written_s < pause_s:
            return
        is_new, self._of, self._written_s = of != self._of, of, now
        if self._rewrites:
            line = _with_bar(described(measured), measured)
            self._write(f"\r{line.ljust(self._width)}")
            self._width = len(line)
        elif is_new or measured.done_bytes is not None:
            self._write(f"{described(measured)}\n")

    def say(self, line: str) -> None:
        """See `Progress.say`."""
        self.clear()
        self._write(f"{line}\n")

    def clear(self) -> None:
        """Remove the line that would be written over."""
        if self._width:
            self._write(f"\r{'':{self._width}}\r")
            self._width = 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


_WORDS = {
    Phase.STARTING: "Starting",
    Phase.CONNECTING: "Connecting to the server of",
    Phase.DOWNLOADING: "Downloading",
    Phase.BUILDING: "Building",
    Phase.LOADING: "Loading",
    Phase.WARMING_UP: "Warming up",
}


def described(progress: LoadProgress) -> str:
    """Return a line for the operator: what is done, how much of it, how fast, how long still."""
    line = " ".join(filter(None, (_WORDS[progress.phase], progress.what)))
    done, total, remaining_s = progress.done_bytes, progress.total_bytes, progress.remaining_s
    if done is None:
        return f"{line} …"
    figures = [f"{done / 1e6:,.0f} MB" if not total else f"{_of_total(done, total)}"]
    if progress.phase is Phase.DOWNLOADING and progress.bytes_per_s is not None:
        figures.append(f"{progress.bytes_per_s / 1e6:.1f} MB/s")
    if remaining_s is not None and remaining_s >= 1:
        figures.append(f"{_duration(remaining_s)} left")
    return f"{line}: {', '.join(figures)}"


def _with_bar(line: str, progress: LoadProgress) -> str:
    """A line with a picture of how much is done, where the terminal has room for both."""
    done, total = progress.done_bytes, progress.total_bytes
    if done is None or not total:
        return line
    filled = min(BAR_CHARACTERS, BAR_CHARACTERS * done // total)
    drawn = f"{line}  [{'#' * filled}{'-' * (BAR_CHARACTERS - filled)}]"
    # A line that wraps cannot be written over.
    return drawn if len(drawn) < shutil.get_terminal_size().columns else line


def _of_total(done: int, total: int) -> str:
    if total >= 1e9:
        return f"{done / 1e9:.1f} of {total / 1e9:.1f} GB"
    return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False
