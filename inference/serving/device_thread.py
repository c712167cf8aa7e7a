"""The thread that owns the device.

It starts before an event loop runs: libraries hold the interpreter's lock for tens of milliseconds
while they read tokenizers and link kernels.
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


class DeviceThread:
    """Loads the model on entry and runs work in order; joined on exit."""

    def __init__(self, load: Load) -> None:
        self._loaded: Future[Backend] = Future()
        self._work: queue.SimpleQueue[Callable[[Backend], None] | None] = queue.SimpleQueue()
        self.hangs = False
        """Whether the device has stopped responding; then exit does not join the thread."""
        # A daemon: an interrupted download must not keep the process alive.
        self._thread = threading.Thread(target=self._run, args=(load,), name="device", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread and wait for the model to load. Raises: ModelUnavailable."""
        self._thread.start()
        self._loaded.result()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._work.put(None)
        if not self.hangs:
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
