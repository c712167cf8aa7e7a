"""The thread that owns the device.

It is a thread of its own from the load on: a CUDA context belongs to the thread that has made it.
While it loads, libraries hold the interpreter's lock for tens of milliseconds, and the event loop
may be late by that much.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeAlias

from inference.errors import ModelUnavailable, safe_traceback
from inference.serving.backend import Backend

log = logging.getLogger(__name__)

Load: TypeAlias = Callable[[], Backend]


CANCEL_TIMEOUT_S = 1.0
"""How long an exit waits for a load that has been cancelled."""


class DeviceThread:
    """Loads the model on entry and runs work in order; joined on exit."""

    def __init__(self, load: Load, *, after: DeviceThread | None = None) -> None:
        """Take what loads the model. `after`: it loads first, and this one only if it could."""
        self._loaded: Future[Backend] = Future()
        self._work: queue.SimpleQueue[Callable[[Backend], None] | None] = queue.SimpleQueue()
        self.hangs = False
        """Whether the device has stopped responding; then exit does not join the thread."""
        # A daemon: an interrupted download must not keep the process alive.
        self._thread = threading.Thread(target=self._run, args=(load,), name="device", daemon=True)
        self._after = after

    def __enter__(self) -> Self:
        """Start the thread and wait for the model to load. Raises: ModelUnavailable."""
        self.start()
        self.check_loaded()
        return self

    def start(self) -> None:
        """Start the thread; it loads the model."""
        self._thread.start()

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
        self._work.put(work)

    def _run(self, load: Load) -> None:
        try:
            if self._after is not None:
                self._after.check_loaded()
            backend = load()
        except ModelUnavailable as exc:
            self._loaded.set_exception(exc)
            return
        except Exception as exc:  # noqa: BLE001 - crosses the thread: whatever load raises
            log.error("loading failed: %s", safe_traceback(exc))
            sentence = f"The model cannot be loaded ({type(exc).__name__})."
            self._loaded.set_exception(ModelUnavailable(sentence))
            return
        self._loaded.set_result(backend)
        while (work := self._work.get()) is not None:
            work(backend)
