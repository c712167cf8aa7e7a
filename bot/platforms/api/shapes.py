"""What is sent back: chat completions, their pieces, and the list of models."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from typing import Any, Final

from inference.types import Finished, FinishReason

FINISH_REASONS: Final = {
    FinishReason.STOP: "stop",
    FinishReason.NEXT_TURN: "stop",
    FinishReason.REPETITION: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.ABORTED: "stop",
}
DONE: Final = b"data: [DONE]\n\n"


def new_id() -> str:
    """Name a completion: for its client, and in the log's lines about it."""
    return f"chatcmpl-{secrets.token_hex(12)}"


class Shapes:
    """The shapes of one completion: all have its id, its time and its model."""

    def __init__(self, model: str, completion_id: str) -> None:
        self.id = completion_id
        self._common = {"id": self.id, "created": int(time.time()), "model": model}

    def whole(self, text: str, finished: Finished) -> dict[str, Any]:
        """A completion in one piece."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": FINISH_REASONS[finished.reason],
        }
        return {
            **self._common,
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage_of(finished),
        }

    def piece(self, delta: dict[str, str], finished: Finished | None = None) -> dict[str, Any]:
        """A piece of a stream; the last one says why it ends."""
        reason = None if finished is None else FINISH_REASONS[finished.reason]
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._common, "object": "chat.completion.chunk", "choices": [choice]}

    def usage_piece(self, finished: Finished) -> dict[str, Any]:
        """What a stream took, after its last piece."""
        return {
            **self._common,
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": usage_of(finished),
        }


def usage_of(finished: Finished) -> dict[str, Any]:
    """Counts of tokens, pictures included."""
    return {
        "prompt_tokens": finished.prompt_tokens,
        "completion_tokens": finished.new_tokens,
        "total_tokens": finished.prompt_tokens + finished.new_tokens,
        "prompt_tokens_details": {"cached_tokens": finished.cached_tokens},
    }


def model_json(name: str, since: int) -> dict[str, Any]:
    """One model. `since`: in seconds since 1970."""
    return {"id": name, "object": "model", "created": since, "owned_by": "llava-bot"}


def models_json(names: Iterable[str], since: int) -> dict[str, Any]:
    """The list of models."""
    return {"object": "list", "data": [model_json(name, since) for name in names]}


def as_sse(data: dict[str, Any]) -> bytes:
    """An event of a stream."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode("utf-8", "replace")
