"""What can go wrong in the engine, drawn as one tree.

InferenceError
├── ModelUnavailable      nothing was loaded; the message is one sentence for the operator
├── RequestRejected       nothing was run
│   ├── QueueFull
│   ├── ContextExceeded
│   └── TooManyPictures
├── GenerationFailed      this request is lost, the engine lives
│   └── ServerFailed      the model runs on a server, which is down, refuses or breaks off
└── EngineDead            terminal: the process must restart
"""

from __future__ import annotations

from enum import StrEnum

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


class Trouble(StrEnum):
    """What is wrong with a model's server."""

    DOWN = "down"
    """Nobody answers at its address, or not in time."""
    KEY = "key"
    """It wants another key, or one at all."""
    MODEL = "model"
    """It has no such model, or no such API."""
    BROKEN = "broken"
    """It answers with an error of its own, or with what is no answer."""
    CUT = "cut"
    """It broke off in the middle of an answer."""


_WORDS = {
    Trouble.DOWN: "it cannot be reached",
    Trouble.KEY: "it refuses the key",
    Trouble.MODEL: "it has no such model or API",
    Trouble.BROKEN: "it fails",
    Trouble.CUT: "it broke off in the middle of an answer",
}


class ServerFailed(GenerationFailed):
    """The server of a model cannot answer this request. It is asked again for later ones."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(f"{_WORDS[trouble]} ({detail})" if detail else _WORDS[trouble])
        self.trouble = trouble


class EngineDead(InferenceError):
    """The engine cannot go on; the process must restart."""


def safe_traceback(exc: BaseException) -> Failure:
    """As what and where an exception was raised, for the log.

    Of its message only what cannot be anybody's words is kept (`inference/safe_messages.py`).
    """
    return describe_failure(exc)
