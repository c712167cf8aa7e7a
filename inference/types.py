"""The values that cross the engine's border. No torch here: the bot imports this module."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias


class Role(StrEnum):
    """Who speaks in a conversation."""

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
    """One utterance; its pictures stand before its text."""

    role: Role
    text: str = field(repr=False)  # a repr may reach a log, what people write may not
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen.

    The defaults are those of LLaVA's command line: temperature 0.2, at most 512 new tokens.
    """

    temperature: float = 0.2
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps all."""
    max_new_tokens: int = 512
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A conversation that ends with a question, and how to answer it."""

    messages: tuple[Message, ...]
    sampling: Sampling
    asker: str = ""
    """Who asks, by any name that is the same each time: askers are treated alike."""
    thread: str = ""
    """The conversation's name: it stays where its cache is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a loaded model is and can take; fixed for the life of the engine."""

    name: str
    """As the user wrote it, or what an alias stands for."""
    family: str
    """A row of the table in `inference.models`, for example ``llava-1.5``."""
    context_tokens: int
    """Prompt and answer together never exceed this."""
    max_pictures: int
    """Pictures one prompt may hold."""
    needs_picture: bool = False
    """The model cannot answer without a picture."""
    sampling: Sampling
    """The model's defaults."""
    device: str
    weights: str
    """How the weights are held: ``bfloat16``, ``float32``, ``nf4``, ``int8``."""
    cannot: tuple[str, ...] = ()
    """What people should know it cannot do: keys of the bot's catalogue of sentences."""
    cache_tokens: int | None = None
    """Tokens of all threads that the fast path keeps."""
    cache_dtype: str | None = None
    """How it keeps their keys and values: ``int8``, or as the weights' activations."""
    engine: str = "transformers"
    """Which path runs the model: ``fast``, or ``transformers`` one request at a time."""
    why_not_fast: str | None = None
    """Why it is not the fast one."""


class FinishReason(StrEnum):
    """Why a generation ended."""

    STOP = "stop"
    LENGTH = "length"
    REPETITION = "repetition"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; `position` 1 is the next to run. Sent again whenever it changes."""

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    """The device has taken the request up: it reads the pictures and the prompt."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text to append; always whole characters."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last event of every stream that ends well."""

    reason: FinishReason
    prompt_tokens: int
    new_tokens: int
    cached_tokens: int = 0
    """Of the prompt, what the engine had read before."""
    first_token_s: float
    """From the moment the device took the request up to its first token."""
    total_s: float
    """From the moment the device took the request up to the end."""


GenerationEvent: TypeAlias = Queued | Started | TextDelta | Finished

Quantization: TypeAlias = Literal["none", "int8", "nf4"]
CacheQuantization: TypeAlias = Literal["auto", "none", "int8"]
EngineChoice: TypeAlias = Literal["auto", "transformers"]
"""``auto`` takes the fast path for the models that it knows."""
DType: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What to load, and how. `None` and ``auto`` leave the choice to the model and the machine."""

    name: str
    revision: str | None = None
    quantize: Quantization = "none"
    dtype: DType = "auto"
    device: str = "auto"
    context_tokens: int | None = None
    max_pictures: int | None = None
    cache_tokens: int | None = None
    """Tokens of all threads together that the engine keeps."""
    quantize_cache: CacheQuantization = "auto"
    """``auto`` keeps them in 8 bits where the weights have fewer than 16."""
    engine: EngineChoice = "auto"
    token: str | None = field(default=None, repr=False)
    """Of the model hub, for models that ask for one."""
