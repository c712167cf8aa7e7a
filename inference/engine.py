"""The protocol between the bot and the engine that runs a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from inference.progress import LoadProgress
from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo


class Engine(Protocol):
    """Runs one model, from load to shutdown. Call every method on the event loop's thread.

    It exists before its model is loaded: what it is asked then waits.
    """

    @property
    def model(self) -> ModelInfo | None:
        """The model; `None` until it is loaded."""
        ...

    @property
    def load_progress(self) -> LoadProgress | None:
        """How far the load is; `None` once it is done."""
        ...

    async def loaded(self) -> ModelInfo:
        """Wait for the model. Raises: ModelUnavailable: terminal; nothing else will be answered."""
        ...

    async def admitted(self) -> ModelInfo:
        """Wait for the model before a request, of which only so many may wait.

        Raises:
            QueueFull: as many requests wait for the model as the queue holds.
            ModelUnavailable: see `loaded`.
        """
        ...

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Return the prompt's length in tokens, pictures included.

        Raises:
            TooManyPictures: more than `model.max_pictures`.
            GenerationFailed: the length cannot be computed.
        """
        ...

    def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """Answer a request: `Queued`…, `Started`, `TextDelta`…, and one `Finished` at the end.

        Closing the generator withdraws a waiting request and aborts a running one within one
        step. Wrap it in `contextlib.aclosing`: a cancelled request must free the device now, not
        when the garbage collector finds the generator.

        Raises:
            RequestRejected: nothing was run.
            GenerationFailed: this request is lost, the engine lives.
            EngineDead: terminal; the process must restart.
        """
        ...

    async def clear_caches(self) -> None:
        """Erase what is cached of conversations without a request in flight.

        Text, pictures and everything computed from them. A conversation that continues is
        prefilled again.
        """
        ...


class Engines(Engine, Protocol):
    """One engine per model. Itself it is the first model's; `clear_caches` clears all of them."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the models are called, the first one's first; empty where there is only one."""
        ...

    def of(self, name: str) -> Engine:
        """Return a model's engine; the first one's where no model is called that."""
        ...
