"""The settings of the model and of what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from bot.settings.group import SettingsGroup, revealed, split
from bot.values.named_models import NamedModel, parse_models
from bot.values.readings import ReadingChoice
from inference.types import (
    CacheQuantization,
    DType,
    EngineChoice,
    ModelSpec,
    Quantization,
    Speculation,
)


class ModelSettings(SettingsGroup):
    """Which models answer, and how they are loaded and sampled."""

    other_arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "model": ("--model-path",),
        "model_revision": ("--revision",),
    }
    argument_shortcuts: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "quantize": {"--load-4bit": "nf4", "--load-8bit": "int8"},
    }

    model: str = Field(
        "pocket",
        examples=["llava-hf/llava-1.5-7b-hf"],
        description="The model: `pocket`, a name on the model hub such as "
        "`llava-hf/llava-1.5-7b-hf`, a folder, or `openai:http://host:8000/v1#name` for one that "
        "an OpenAI-compatible server runs (vLLM, SGLang, llama.cpp, Ollama).",
    )
    model_revision: str | None = Field(
        None, examples=["main"], description="A branch, tag or commit of the model's repository."
    )
    models: Annotated[tuple[NamedModel, ...] | None, BeforeValidator(parse_models)] = Field(
        None,
        examples=["quick=pocket,good=Qwen/Qwen3-VL-8B-Instruct:nf4"],
        description="Several models at once, in place of `MODEL`: `name=model`, with `:nf4`, "
        "`:int8` or `:none` where one is not quantized as `QUANTIZE` says. Admins choose one per "
        "channel; the first answers everywhere else.",
    )
    hf_token: SecretStr | None = Field(
        None, examples=["hf_…"], description="Token of the model hub, for models that require one."
    )
    quantize: Quantization = Field(
        "none",
        examples=["nf4"],
        description="Quantize the weights: `none`, `int8` or `nf4` (4 bits; on a CPU, 8).",
    )
    dtype: DType = Field(
        "auto",
        description="Data type of the weights: `auto` (bfloat16 on a GPU, float32 on a CPU), "
        "`float32`, `bfloat16`, `float16`.",
    )
    device: str = Field(
        "auto", examples=["cuda:1"], description="Where the model runs: `auto`, `cpu`, `cuda:0`, …"
    )
    devices: Annotated[tuple[str, ...] | None, BeforeValidator(split)] = Field(
        None,
        examples=["cuda:0,cuda:1"],
        description="Several GPUs, each with the whole model: `cuda:0,cuda:1`. A thread stays on "
        "the GPU that holds its cache.",
    )
    context_tokens: Annotated[int, Field(ge=128)] | None = Field(
        None, examples=["4096"], description="Limit the model's context, to save memory."
    )
    cache_tokens: Annotated[int, Field(ge=256)] | None = Field(
        None,
        examples=["32768"],
        description="Size of the KV cache in tokens, shared by all threads; by default what fits "
        "into the GPU's memory.",
    )
    quantize_cache: CacheQuantization = Field(
        "auto",
        description="Store the KV cache in 8 bits (`int8`: twice as many tokens fit) or in the "
        "weights' data type (`none`); `auto` is `int8` for quantized weights (on a CPU, 16 bits).",
    )
    engine: EngineChoice = Field(
        "auto",
        description="`auto` runs a model on the fast path, many threads at once, if it can; "
        "`transformers` runs any model with its own `generate`, one question at a time.",
    )
    speculation: Speculation = Field(
        "auto",
        description="`auto`: the fast path may propose the next tokens from the thread's own text "
        "and check several in one step, where that saves time; answers stay the same. `off`: one "
        "token per thread and step.",
    )
    max_pictures: Annotated[int, Field(ge=1)] | None = Field(
        None,
        examples=["4"],
        description="Pictures that the model sees at once; by default what suits its family.",
    )
    picture_tokens: Annotated[int, Field(ge=16)] | None = Field(
        None,
        examples=["1024"],
        description="Most tokens of a picture, for models where they follow its size; larger "
        "pictures are shrunk. By default a picture's share of the context.",
    )
    thinking: bool = Field(
        False,
        description="Let models that can think do so before they answer; answers take longer. "
        "Thoughts are never shown.",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None,
        examples=["0"],
        description="Sampling temperature; 0 always gives the likeliest answer. By default the "
        "model's own (0.2).",
    )
    max_new_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None,
        examples=["1024"],
        description="Longest answer in tokens; by default the model's own (512).",
    )
    system_prompt: str | None = Field(
        None,
        examples=["Answer in one sentence."],
        description="System prompt of every conversation, where a channel has none of its own.",
    )
    presets_file: Path | None = Field(
        None,
        examples=["/srv/presets.toml"],
        description="TOML file of the team's own presets: questions with a name (docs/models.md).",
    )
    ocr: ReadingChoice = Field(
        "auto",
        description="Read text in pictures on this machine and give it to the model: `auto` (if a "
        "quick look finds text), `on` (search every picture) or `off`. Models that read well get "
        "only text that is too small for them.",
    )

    look_closer: bool = Field(
        True,
        description="Show the part of a picture that a question is about (“top right”, “the small "
        "print”) to the model at full size, beside the whole, where it sees the whole smaller.",
    )

    @property
    def model_specs(self) -> dict[str, ModelSpec]:
        """What to load, and how to hold it, by name; the first answers where none is chosen.

        One model that has no name is called "".
        """
        spec = self._model_spec
        if self.models is None:
            return {"": spec}
        return {
            one.name: replace(spec, name=one.model, quantize=one.quantize or self.quantize)
            for one in self.models
        }

    @property
    def model_spec(self) -> ModelSpec:
        """The first model: the only one, for most."""
        return next(iter(self.model_specs.values()))

    @property
    def _model_spec(self) -> ModelSpec:
        return ModelSpec(
            name=self.model,
            revision=self.model_revision,
            quantize=self.quantize,
            dtype=self.dtype,
            device=self.device,
            context_tokens=self.context_tokens,
            max_pictures=self.max_pictures,
            picture_tokens=self.picture_tokens,
            cache_tokens=self.cache_tokens,
            quantize_cache=self.quantize_cache,
            engine=self.engine,
            speculation=self.speculation,
            thinking=self.thinking,
            token=revealed(self.hf_token),
        )

    @field_validator("models")
    @classmethod
    def _in_place_of_model(
        cls, models: tuple[NamedModel, ...] | None, info: ValidationInfo
    ) -> tuple[NamedModel, ...] | None:
        single = ("model", "model_revision")
        defaults = [cls.model_fields[name].default for name in single]
        if models is not None and [info.data.get(name) for name in single] != defaults:
            raise ValueError("MODEL is set too: name it among MODELS, or leave one of them out")
        return models
