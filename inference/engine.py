"""The protocol between the bot and whatever runs a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo


class Engine(Protocol):
    """Runs one model. Lives from load to shutdown; every method is for the event loop's thread."""

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        ...

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Length of the prompt in tokens, its pictures included.

        Raises:
            TooManyPictures: more than `model.max_pictures`.
            GenerationFailed: it cannot be said.
        """
        ...

    def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """Answer a request: `Queued`…, `Started`, `TextDelta`…, and one `Finished` at the end.

        Closing the generator withdraws a waiting request and aborts a running one within one
        step. Wrap it in `contextlib.aclosing`: a cancelled asker must free the device now, not
        when the garbage collector finds the generator.

        Raises:
            RequestRejected: nothing was run.
            GenerationFailed: this request is lost, the engine lives.
            EngineDead: terminal; the process must restart.
        """
        ...

    async def forget(self) -> None:
        """Erase what is kept of conversations that are not under way, to be quicker with them.

        Text, pictures and what was computed from them; whoever goes on is read again.
        """
        ...
