"""What can go wrong in the engine, drawn as one tree.

InferenceError
├── ModelUnavailable      nothing was loaded; the message is one sentence for the operator
├── RequestRejected       nothing was run
│   ├── QueueFull
│   ├── ContextExceeded
│   └── TooManyPictures
├── GenerationFailed      this request is lost, the engine lives
└── EngineDead            terminal: the process must restart
"""

from __future__ import annotations

from inference.failures import Failure, describe_failure


class InferenceError(Exception):
    """Base of everything the engine raises on purpose."""


class ModelUnavailable(InferenceError):
    """The model cannot be loaded; `str(exc)` is one clear sentence with the remedy."""


class RequestRejected(InferenceError):
    """Nothing was run."""


class QueueFull(RequestRejected):
    """As many requests wait as the queue holds."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} requests are waiting already")
        self.waiting = waiting


class ContextExceeded(RequestRejected):
    """Prompt and answer do not fit the model's context."""

    def __init__(self, needed_tokens: int, context_tokens: int) -> None:
        super().__init__(f"{needed_tokens} tokens needed, the context holds {context_tokens}")
        self.needed_tokens = needed_tokens
        self.context_tokens = context_tokens


class TooManyPictures(RequestRejected):
    """More pictures than the model takes in one prompt."""

    def __init__(self, given: int, limit: int) -> None:
        super().__init__(f"{given} pictures given, the model takes {limit}")
        self.given = given
        self.limit = limit


class GenerationFailed(InferenceError):
    """This request is lost; the engine goes on."""


class EngineDead(InferenceError):
    """The engine cannot go on; the process must restart."""


def safe_traceback(exc: BaseException) -> Failure:
    """As what and where an exception was raised, for the log.

    Of its message only what cannot be anybody's words is kept (`inference/safe_messages.py`).
    """
    return describe_failure(exc)
