"""The values that cross the engine's boundary. No torch here: the bot imports this module."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, sqrt
from typing import Final, Literal, TypeAlias


class Role(StrEnum):
    """The author of a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A normalised picture: upright, RGB, without metadata.

    Two pictures are equal when their digests are; the bytes are not compared.
    """

    digest: str
    """SHA-256 of `data`, hexadecimal."""
    data: bytes = field(repr=False, compare=False)
    """The encoded file (PNG or JPEG)."""
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation; its pictures come before its text."""

    role: Role
    text: str = field(repr=False)  # a repr may reach a log, what people write may not
    pictures: tuple[Picture, ...] = ()


LEAST_TEMPERATURE: Final = 1e-5
"""Below it, sampling is greedy but for ties, as in vLLM; float32 cannot divide by far less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample the next token.

    The defaults are those of LLaVA's command line: temperature 0.2, at most 512 new tokens.
    """

    temperature: float = 0.2
    """0 is greedy; less than `LEAST_TEMPERATURE` becomes 0."""
    top_p: float = 1.0
    top_k: int = 0
    """0 turns it off."""
    max_new_tokens: int = 512
    seed: int | None = None
    ignore_eos: bool = False
    """Decode on after the tokens that end an answer: for benchmarks."""

    def __post_init__(self) -> None:
        """Raises: ValueError: a value that no token can be chosen by."""
        in_range = {
            "temperature": 0 <= self.temperature < inf,
            "top_p": 0 < self.top_p <= 1,
            "top_k": 0 <= self.top_k < 2**31,
            "max_new_tokens": self.max_new_tokens >= 1,
        }
        wrong = [name for name, is_right in in_range.items() if not is_right]
        if wrong:
            raise ValueError(f"out of range: {', '.join(wrong)}")
        if self.temperature < LEAST_TEMPERATURE:
            object.__setattr__(self, "temperature", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A conversation that ends with a question, and how to answer it."""

    messages: tuple[Message, ...]
    sampling: Sampling
    user_id: str = ""
    """Stable id of the user; the scheduler is fair across users."""
    question: str = field(default="", repr=False)
    """The id that the log calls it by."""
    thread: str = ""
    """Stable id of the conversation; it stays on the device that holds its cache."""
    stop: tuple[str, ...] = field(default=(), repr=False)
    """Texts that end the answer, none of them empty; it is cut before the first that occurs."""
    background: bool = False
    """Never admitted or prefilled ahead of a request that is not."""


class Limitation(StrEnum):
    """What users should know that a model does badly or not at all."""

    MAIN_SUBJECT_ONLY = "main_subject_only"
    """It names the main subject of a picture and describes no scene."""
    NO_TEXT = "no_text"
    """It reads no text in a picture."""
    NO_SMALL_TEXT = "no_small_text"
    """It sees too few pixels to read small text."""
    ONE_PICTURE = "one_picture"
    """It takes several pictures and mixes them up."""
    FEW_WORDS = "few_words"
    """It answers each question by itself, in a word or two."""
    CAPTION_ONLY = "caption_only"
    """It says what a picture shows, whatever is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureBound:
    """How large a model sees pictures; larger ones are shrunk for it."""

    max_px: int | None = None
    """Most pixels."""
    max_side_px: int | None = None
    """Longest side."""
    canvases: tuple[tuple[int, int], ...] = ()
    """Width and height of canvases: a picture is stretched to the one nearest in shape."""

    def seen(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the size at which a picture is seen: its own, or the one it is shrunk to."""
        scale = 1.0
        if self.max_px is not None:
            scale = min(scale, sqrt(self.max_px / (width_px * height_px)))
        if self.max_side_px is not None:
            scale = min(scale, self.max_side_px / max(width_px, height_px))
        if scale < 1:
            return max(1, int(width_px * scale)), max(1, int(height_px * scale))
        if self.canvases:
            shape = width_px / height_px
            # Of those as near, the largest: a smaller one is for smaller pictures.
            canvas = min(
                self.canvases, key=lambda size: (abs(size[0] / size[1] - shape), -size[0] * size[1])
            )
            if canvas[0] * canvas[1] < width_px * height_px:
                return canvas
        return width_px, height_px


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A loaded model and its limits; fixed for the life of the engine."""

    name: str
    """As the user wrote it, or what an alias stands for."""
    family: str
    """A row of the table in `inference.models`, for example ``llava-1.5``."""
    context_tokens: int
    """Limit for prompt and answer together."""
    max_pictures: int
    """Most pictures in one prompt."""
    picture_bound: PictureBound | None = None
    """How large it sees pictures. None where all of them are brought to one size."""
    tower_px: int | None = None
    """The longer side of what it sees of each picture, where all of them are brought to one size
    and that is known."""
    needs_picture: bool = False
    """The model cannot answer without a picture."""
    sampling: Sampling
    """The model's defaults."""
    device: str
    weights: str
    """Format of the weights: ``bfloat16``, ``float32``, ``nf4``, ``int4``, ``int8``."""
    weights_bytes: int | None = None
    """Memory of all weights on the device."""
    step_bytes: int | None = None
    """Weights that a decode step reads; None if the engine does not hold them itself."""
    limitations: tuple[Limitation, ...] = ()
    reads_text: bool = False
    """It reads text in pictures well by itself, where it sees it large enough."""
    languages: tuple[str, ...] = ()
    """The languages it understands (``en``, ``ja``), the best first; empty if no limit is known."""
    cache_tokens: int | None = None
    """Capacity of the fast path's KV cache, in tokens of all sequences."""
    cache_dtype: str | None = None
    """Format of its keys and values: ``int8``, or the activations' dtype."""
    engine: str = "transformers"
    """The path that runs the model: ``fast``, or ``transformers``, one request at a time."""
    why_not_fast: str | None = None
    """Why the fast path does not run it."""

    def seen(self, width_px: int, height_px: int) -> tuple[int, int] | None:
        """The size at which it sees a picture of this size; None where that is not known."""
        bound = self.picture_bound
        if bound is None and self.tower_px is not None:
            bound = PictureBound(max_side_px=self.tower_px)
        return None if bound is None else bound.seen(width_px, height_px)


class FinishReason(StrEnum):
    """Why a generation ended."""

    STOP = "stop"
    NEXT_TURN = "next_turn"
    """The model began to write the user's next question; its text was cut there."""
    LENGTH = "length"
    REPETITION = "repetition"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; `position` 1 runs next. Sent again whenever the position changes."""

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    """The device has started on the request: it encodes pictures and prefills the prompt."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text to append; always whole characters."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last event of every stream that ends without an error."""

    reason: FinishReason
    prompt_tokens: int
    new_tokens: int
    cached_tokens: int = 0
    """Prompt tokens found in the prefix cache."""
    first_token_s: float
    """From the device starting on the request to its first token."""
    total_s: float
    """From the device starting on the request to its end."""


GenerationEvent: TypeAlias = Queued | Started | TextDelta | Finished

Quantization: TypeAlias = Literal["none", "int8", "nf4"]
CacheQuantization: TypeAlias = Literal["auto", "none", "int8"]
Speculation: TypeAlias = Literal["auto", "off"]
"""``auto`` proposes tokens where that is likely to bring more than it costs."""
EngineChoice: TypeAlias = Literal["auto", "transformers"]
"""``auto`` takes the fast path for the models it supports."""
DType: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What to load, and how. `None` and ``auto`` choose by the model and the machine."""

    name: str
    revision: str | None = None
    quantize: Quantization = "none"
    dtype: DType = "auto"
    device: str = "auto"
    context_tokens: int | None = None
    max_pictures: int | None = None
    picture_tokens: int | None = None
    """Most tokens of a picture, for models where they follow its size."""
    cache_tokens: int | None = None
    """Capacity of the KV cache, in tokens of all sequences."""
    cache_share: float = 1.0
    """The cache's share of the device's free memory, where `cache_tokens` does not say."""
    quantize_cache: CacheQuantization = "auto"
    """``auto`` is int8 if the weights have fewer than 16 bits."""
    engine: EngineChoice = "auto"
    speculation: Speculation = "auto"
    thinking: bool = False
    """Let models think before they answer, if they can. Their thoughts are not shown."""
    token: str | None = field(default=None, repr=False)
    """For the model hub, for models that require one."""
