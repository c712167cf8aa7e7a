"""A model that says what it was asked, what came before, and which process answers."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from inference.backends.sequential import SequentialBackend
from inference.serving.backend import Backend
from inference.serving.device_thread import Load
from inference.serving.fleet import Devices
from inference.serving.load_state import LoadState
from inference.types import GenerationRequest
from tests.engines import ScriptedModel

SECONDS_A_WORD = 0.02
FIRST = "nothing"


def words_of(request: GenerationRequest) -> str:
    """``answer to q7 after q6 by 4711``."""
    asked = [message.text for message in request.messages if message.role == "user"]
    before = asked[-2] if len(asked) > 1 else FIRST
    time.sleep(SECONDS_A_WORD * 8)
    return f"answer to {asked[-1]} after {before} by {os.getpid()}"


class ScriptedDevices(Devices):
    """One device, with that model; nothing of the real one is loaded."""

    def __init__(self, _loads: Sequence[Load], state: LoadState, **others: Any) -> None:
        def load() -> Backend:
            model = ScriptedModel()
            model.model = replace(model.model, context_tokens=100_000)
            model.answer = words_of
            return SequentialBackend(model)

        super().__init__([load], state, **others)
