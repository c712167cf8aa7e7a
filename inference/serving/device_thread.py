"""The thread that owns the device.

It is a thread of its own from the load on: a CUDA context belongs to the thread that has made it.
While it loads, libraries hold the interpreter's lock for tens of milliseconds, and the event loop
may be late by that much.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeAlias

from inference.errors import ModelUnavailable, safe_traceback
from inference.metrics import Gauge
from inference.serving.backend import Backend

log = logging.getLogger(__name__)

Load: TypeAlias = Callable[[], Backend]

LOAD_S = Gauge("model_load_seconds", "How long the model took to load.", ("model", "device"))

CANCEL_TIMEOUT_S = 1.0
"""How long an exit waits for a load that has been cancelled."""


class DeviceThread:
    """Loads the model on entry and runs work in order; joined on exit."""

    def __init__(
        self, load: Load, *, after: DeviceThread | None = None, on: DeviceThread | None = None
    ) -> None:
        """Take what loads the model.

        `after`: it loads first, and this one only if it could. `on`: the same holds, and both
        models share its OS thread, because they share its device: their steps alternate.
        """
        self._loaded: Future[Backend] = Future()
        self._work: queue.SimpleQueue[Callable[[Backend], None] | None] = queue.SimpleQueue()
        self._hangs = False
        # A daemon: an interrupted download must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._load = load
        self._after = after
        self._on = on
        self.is_shared = on is not None
        """Whether several models have their steps run on this OS thread."""
        if on is not None:
            on.is_shared = True

    @property
    def hangs(self) -> bool:
        """Whether the device has stopped responding; then exit does not join the thread."""
        return self._hangs if self._on is None else self._on.hangs

    def stopped_responding(self) -> None:
        """Note that the device hangs."""
        if self._on is None:
            self._hangs = True
        else:
            self._on.stopped_responding()

    def __enter__(self) -> Self:
        """Start the thread and wait for the model to load. Raises: ModelUnavailable."""
        self.start()
        self.check_loaded()
        return self

    def start(self) -> None:
        """Start the thread; it loads the model."""
        if self._on is None:
            self._thread.start()
        else:
            self._on.when_loaded(self._load_beside)

    def when_loaded(self, tell: Callable[[], None]) -> None:
        """Call a function, on any thread, once the load has ended, well or badly."""
        self._loaded.add_done_callback(lambda _: tell())

    def check_loaded(self) -> None:
        """Wait for the load to end. Raises: ModelUnavailable."""
        self._loaded.result()

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._on is not None:
            return  # the other's exit joins the OS thread
        self._work.put(None)
        if self._thread.ident is None:
            return
        if not self._loaded.done():
            # A library that reads gigabytes may not look up for longer: it is left behind.
            self._thread.join(CANCEL_TIMEOUT_S)
        elif not self.hangs:
            self._thread.join()

    @property
    def backend(self) -> Backend:
        """The loaded backend."""
        return self._loaded.result()

    def submit(self, work: Callable[[Backend], None]) -> None:
        """Run a function on the thread, without waiting. It must not raise."""
        if self._on is None:
            self._work.put(work)
        else:
            self._on.submit(lambda _: work(self.backend))

    def _load_beside(self) -> None:
        """Load on the other's thread, which runs work now, or fail as it did."""
        assert self._on is not None  # noqa: S101 - its only caller
        try:
            self._on.check_loaded()
        except ModelUnavailable as exc:
            self._loaded.set_exception(ModelUnavailable(str(exc)))
        else:
            self._on.submit(lambda _: self._try_to_load())

    def _run(self) -> None:
        self._try_to_load()
        if self._loaded.exception() is not None:
            return
        backend = self._loaded.result()
        while (work := self._work.get()) is not None:
            work(backend)

    def _try_to_load(self) -> None:
        try:
            if self._after is not None:
                self._after.check_loaded()
            began_at = time.perf_counter()
            backend = self._load()
        except ModelUnavailable as exc:
            self._loaded.set_exception(exc)
            return
        except Exception as exc:  # noqa: BLE001 - crosses the thread: whatever load raises
            log.error("loading failed: %s", safe_traceback(exc))
            sentence = f"The model cannot be loaded ({type(exc).__name__})."
            self._loaded.set_exception(ModelUnavailable(sentence))
            return
        LOAD_S.set(time.perf_counter() - began_at, backend.model.name, backend.model.device)
        self._loaded.set_result(backend)
