"""A model that is not loaded here: servers run it, and the engine connects to them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from inference.engine import Engine
from inference.progress import Progress
from inference.types import ModelInfo


class ConnectedEngine(Engine, Protocol):
    """An engine whose model is there."""

    died: asyncio.Event
    """Set when it cannot go on and the process must restart."""

    @property
    def model(self) -> ModelInfo:
        """See `Engine.model`."""
        ...


class Connection(Protocol):
    """What a model's servers are reached by."""

    def running(
        self, progress: Progress, *, max_waiting: int
    ) -> AbstractAsyncContextManager[ConnectedEngine]:
        """The engine, once a server has the model; every exit ends every stream.

        Raises: ModelUnavailable: the servers say that it never will be there.
        """
        ...
