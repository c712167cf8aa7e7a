"""The plain path: any `AutoModelForImageTextToText`, one request at a time, by `generate()`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from inference.device import is_out_of_memory
from inference.errors import (
    ContextExceeded,
    EngineDead,
    GenerationFailed,
    safe_traceback,
)
from inference.models.family import Family
from inference.prompts.answer_text import AnswerText
from inference.prompts.detokenize import TokenBytes
from inference.prompts.rendering import Renderer, stop_ids_of
from inference.types import Finished, FinishReason, GenerationRequest, Message, ModelInfo

log = logging.getLogger(__name__)


class GenerateModel:
    """One loaded model. Implements `inference.backends.sequential.SingleRequestModel`."""

    def __init__(self, *, weights: Any, processor: Any, family: Family, model: ModelInfo) -> None:
        """Take a `PreTrainedModel` in eval mode and its processor."""
        self._weights = weights
        self._processor = processor
        self._family = family
        self._model = model
        # Fast tokenizers refuse concurrent use.
        self._processing = threading.Lock()
        self._last_prepared: tuple[tuple[Message, ...], dict[str, torch.Tensor]] | None = None
        self._token_bytes = TokenBytes(processor.tokenizer)
        self._renderer = Renderer(processor, family, max_pictures=model.max_pictures)

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        return self._model

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Return the prompt's length in tokens, pictures included. Raises: TooManyPictures."""
        return int(self._prepare(messages)["input_ids"].shape[-1])

    def clear_caches(self) -> None:
        """See `SingleRequestModel.clear_caches`."""
        with self._processing:
            self._last_prepared = None

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        """See `inference.backends.sequential.SingleRequestModel.generate`."""
        begun = time.perf_counter()
        inputs = self._prepare(request.messages)
        self._last_prepared = None  # nothing of a conversation is kept after its answer
        prompt_tokens = int(inputs["input_ids"].shape[-1])
        room = self._model.context_tokens - prompt_tokens
        if room < 1:
            raise ContextExceeded(prompt_tokens + 1, self._model.context_tokens)
        sampling = request.sampling
        stop_ids = stop_ids_of(self._weights, self._processor)
        options: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None}
        if sampling.ignore_eos:
            stop_ids = frozenset()
            options["eos_token_id"] = None
        listener = _Listener(
            AnswerText(
                self._token_bytes,
                self._family.turn_marks,
                self._family.thinking,
                request.stop,
                self._family.wrapping,
            ),
            on_text,
            cancelled,
            stop_ids=stop_ids,
            max_new_tokens=min(sampling.max_new_tokens, room),
        )
        if sampling.temperature > 0:
            options |= {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
            }
            torch.manual_seed(torch.seed() if sampling.seed is None else sampling.seed)
        try:
            with torch.inference_mode():
                self._weights.generate(
                    **self._on_device(inputs),
                    **options,
                    top_k=sampling.top_k or None,
                    max_new_tokens=listener.max_new_tokens,
                    stopping_criteria=StoppingCriteriaList([listener]),
                )
        except RuntimeError as exc:
            if isinstance(exc, torch.AcceleratorError) and not is_out_of_memory(exc):
                log.error("the device failed: %s", safe_traceback(exc))
                raise EngineDead("the device failed") from None
            if not is_out_of_memory(exc):
                raise
            # Its traceback holds the tensors of the failed step: they are free once it is gone.
            exc.__traceback__ = None
            failure = GenerationFailed("out of memory")
        else:
            listener.finish()
            return Finished(
                reason=listener.reason,
                prompt_tokens=prompt_tokens,
                new_tokens=len(listener.token_ids),
                first_token_s=(listener.first_token_at or time.perf_counter()) - begun,
                total_s=time.perf_counter() - begun,
            )
        torch.cuda.empty_cache()
        raise failure

    def _prepare(self, messages: tuple[Message, ...]) -> dict[str, torch.Tensor]:
        """Turn messages into tensors on the CPU.

        The last result is kept: a prompt that was just measured usually runs next.
        """
        with self._processing:
            if self._last_prepared is not None and self._last_prepared[0] == messages:
                return self._last_prepared[1]
            inputs = self._process(messages)
            self._last_prepared = (messages, inputs)
            return inputs

    def _process(self, messages: tuple[Message, ...]) -> dict[str, torch.Tensor]:
        prompt, pictures = self._renderer.render(messages)
        options: dict[str, Any] = {}
        if pictures:
            options["images"] = [
                self._family.picture_for(picture, self._processor) for picture in pictures
            ]
        if self._renderer.has_bos(prompt):
            options["add_special_tokens"] = False
        return dict(self._processor(text=prompt, return_tensors="pt", **options))

    def _on_device(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            name: tensor.to(
                self._weights.device, self._weights.dtype if tensor.is_floating_point() else None
            )
            for name, tensor in inputs.items()
        }


class _Listener(StoppingCriteria):
    """Called by `generate()` after every token: emits text and decides whether to stop."""

    def __init__(
        self,
        text: AnswerText,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
        *,
        stop_ids: frozenset[int],
        max_new_tokens: int,
    ) -> None:
        self._text = text
        self._on_text = on_text
        self._cancelled = cancelled
        self._stop_ids = stop_ids
        self.max_new_tokens = max_new_tokens
        self.token_ids: list[int] = []
        self.first_token_at: float | None = None
        self.reason = FinishReason.LENGTH

    def __call__(
        self, input_ids: torch.Tensor, _scores: torch.Tensor | None, **_: object
    ) -> torch.Tensor:
        """Take the newest token. Returns: bool[1], whether the answer ends here."""
        stop = self._take(int(input_ids[0, -1]))
        return torch.tensor([stop], device=input_ids.device)

    def finish(self) -> None:
        """Pass on what is left; call it once after `generate()`."""
        self._emit(self._text.flush())

    def _take(self, token_id: int) -> bool:
        self.first_token_at = self.first_token_at or time.perf_counter()
        self.token_ids.append(token_id)
        if self._cancelled():
            self.reason = FinishReason.ABORTED
        elif token_id in self._stop_ids:
            self.reason = FinishReason.STOP
        else:
            self._emit(self._text.push(token_id))
            self.reason = self._text.ended or self.reason
        return self.reason is not FinishReason.LENGTH

    def _emit(self, text: str) -> None:
        if text:
            self._on_text(text)
