"""One model of a comparison, in a process of its own: its memory is then its own, too.

`python -m bot.evaluation.one_model` reads what to ask from standard input and writes what came of
it to standard output, both as JSON.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any

from bot import interrupts, private_files
from bot.composition import peak_gpu_bytes, run_engine
from bot.configuration import load_configuration
from bot.evaluation.asking import answer_to
from bot.evaluation.questions import Json
from bot.logs import set_up_logging
from bot.model_server_settings import ModelServerSettings
from bot.settings import Settings
from bot.values.named_models import split_precision
from inference.engine import Engine
from inference.errors import ModelUnavailable
from inference.types import Message, Picture, Role

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

CACHE_TOKENS = 8192
"""Of each model, unless the settings say otherwise: one question at a time needs no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one model is asked."""

    model: str
    question: str = field(repr=False)
    pictures: tuple[Picture, ...]
    quiet: bool = False

    def to_json(self) -> str:
        """For the process that asks it."""
        pictures = [
            {
                "digest": it.digest,
                "data": base64.b64encode(it.data).decode(),
                "width_px": it.width_px,
                "height_px": it.height_px,
            }
            for it in self.pictures
        ]
        said = {"model": self.model, "question": self.question, "quiet": self.quiet}
        return json.dumps(said | {"pictures": pictures})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """What `to_json` has written."""
        said = json.loads(text)
        pictures = [
            Picture(**{**it, "data": base64.b64decode(it["data"])}) for it in said.pop("pictures")
        ]
        return cls(**said, pictures=tuple(pictures))


def ask(task: Task) -> Json:
    """Load the model and ask it about each picture by itself, greedily.

    Raises: ModelUnavailable.
    """
    configuration = load_configuration()
    settings = _with_model(configuration.bot, task.model)
    begun = time.perf_counter()
    result: dict[str, Any] = {"answers": []}

    async def use(engine: Engine) -> None:
        nonlocal result
        model = await engine.loaded()
        result["load_s"] = time.perf_counter() - begun
        temperature = 0.0 if settings.temperature is None else settings.temperature
        sampling = replace(model.sampling, temperature=temperature)
        if settings.max_new_tokens is not None:
            sampling = replace(sampling, max_new_tokens=settings.max_new_tokens)
        for picture in task.pictures:
            message = Message(role=Role.USER, text=task.question, pictures=(picture,))
            system = _system(settings)
            answer = await answer_to(engine, (*system, message), sampling, thread=picture.digest)
            result["answers"].append(answer.to_json())
        result |= {
            "device": model.device,
            "weights": model.weights,
            "weights_bytes": model.weights_bytes,
            "path": model.engine if model.why_not_fast is None else "plain",
            "gpu_bytes": peak_gpu_bytes(model.device),
            "process_bytes": _peak_bytes(),
        }

    servers = configuration.of(ModelServerSettings)
    run_engine(settings, servers, use, max_waiting=1, quiet=task.quiet)
    return result


def _with_model(settings: Settings, model: str) -> Settings:
    name, quantize = split_precision(model)
    changed: dict[str, Any] = {"model": name, "models": None, "model_revision": None}
    if settings.cache_tokens is None:  # otherwise the cache takes what a GPU has left
        changed["cache_tokens"] = CACHE_TOKENS
    if quantize is not None:
        changed["quantize"] = quantize
    return settings.model_copy(update=changed)


def _peak_bytes() -> int | None:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return None if resource is None else unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _system(settings: Settings) -> tuple[Message, ...]:
    if not settings.system_prompt:
        return ()
    return (Message(role=Role.SYSTEM, text=settings.system_prompt),)


def main() -> int:
    """Do what standard input says."""
    interrupts.exit_immediately()
    set_up_logging(shown=False)
    private_files.keep_private()
    task = Task.from_json(sys.stdin.read())
    try:
        result = ask(task)
    except ModelUnavailable as exc:
        result = {"error": str(exc)}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
