"""The settings that every bot has, and what a group of settings is.

A platform's own settings stand beside its adapter (`bot/platforms/slack/settings.py`).
`bot.configuration` reads them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

import platformdirs
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.values.limits import FollowUps, PictureLimits, QuestionBounds
from bot.values.named_models import NamedModel, parse_models
from bot.values.picture_places import PictureBucket, PicturePlace, parse_pictures_url
from inference.types import CacheQuantization, DType, EngineChoice, ModelSpec, Quantization


class SettingsGroup(BaseModel):
    """Settings with one owner. A field's name in capitals, after the prefix, is the variable's.

    Constructed directly, a group knows nothing of the environment. Each field has a `description`
    for `--help` and the documents, and `examples` where its default shows no value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: ClassVar[str] = ""
    former_prefixes: ClassVar[tuple[str, ...]] = ()
    """Still read, where the variable with today's prefix is not set."""
    shapes: ClassVar[Mapping[str, re.Pattern[str]]] = {}
    """What the values of some fields look like: a setting can be told by its value."""
    other_arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Field → what its argument is also called, besides `--prefix-name`."""
    argument_shortcuts: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Field → arguments without a value of their own → the value that they stand for."""

    @model_validator(mode="before")
    @classmethod
    def _choices_in_any_case(cls, given: Any) -> Any:
        return {
            name: _as_a_choice(value, choices_of(field.annotation))
            if (field := cls.model_fields.get(name)) is not None
            else value
            for name, value in given.items()
        }


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The words that a setting can be; none: it is no choice between words."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for part in get_args(annotation) for word in choices_of(part))


def _as_a_choice(value: Any, choices: tuple[str, ...]) -> Any:
    """`debug` and ` Debug ` are `DEBUG`."""
    if isinstance(value, str):
        for choice in choices:
            if choice.casefold() == value.strip().casefold():
                return choice
    return value


def split(value: object) -> object:
    """Several values in one variable, between commas or spaces."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Ids = Annotated[frozenset[str], BeforeValidator(split)]
"""A platform's ids in one variable."""


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret; `None` when it is not set."""
    return None if secret is None else secret.get_secret_value()


def default_data_dir() -> Path:
    """The platform's usual place for application data."""
    try:
        return platformdirs.user_data_path("llava-bot", appauthor=False)
    except RuntimeError:
        return Path("~/.llava-bot")  # nobody's home: refused where the setting is checked


class Settings(SettingsGroup):
    """What every bot has, whatever its platforms."""

    sections: ClassVar[Mapping[str, str]] = {
        "the model": "model",
        "answers": "max_pictures",
        "limits": "max_waiting",
        "the bot": "thread_days",
    }
    """Title → the first field of the section, for `--help` and docs/settings.md."""
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
        description="Quantize the weights: `none`, `int8` or `nf4` (4 bits).",
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
        "weights' data type (`none`); `auto` is `int8` for quantized weights.",
    )
    engine: EngineChoice = Field(
        "auto",
        description="`auto` runs a model on the fast path, many threads at once, if it can; "
        "`transformers` runs any model with its own `generate`, one question at a time.",
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
    max_waiting: int = Field(
        32, ge=0, description="Questions that may wait for the model; one more is refused."
    )
    questions_per_user: int = Field(
        5, ge=1, description="Questions per user that may wait or run at once."
    )
    questions_per_user_per_minute: int = Field(
        60, ge=0, description="Questions per user in a minute; 0 is no bound."
    )
    questions_per_user_per_day: int = Field(
        0, ge=0, examples=["500"], description="Questions per user in 24 hours; 0 is no bound."
    )
    questions_per_channel: int = Field(
        0,
        ge=0,
        examples=["20"],
        description="Questions per channel that may wait or run at once; 0 is no bound. The "
        "playground counts as one channel.",
    )
    questions_per_channel_per_minute: int = Field(
        0, ge=0, examples=["120"], description="Questions per channel in a minute; 0 is no bound."
    )
    questions_per_channel_per_day: int = Field(
        0, ge=0, examples=["5000"], description="Questions per channel in 24 hours; 0 is no bound."
    )
    question_max_characters: int = Field(
        40_000, ge=1, description="Longest question that is read, in characters."
    )
    answer_timeout_s: float = Field(
        900,
        gt=0,
        description="Seconds that an answer may take; what it has by then is shown, and it stops.",
    )
    pictures_per_question: int = Field(8, ge=1, le=32, description="Pictures used per question.")
    pictures_per_thread: int = Field(200, ge=1, description="Pictures that a thread keeps.")
    picture_max_mb: float = Field(30, gt=0, description="Largest picture file that is used.")
    picture_max_megapixels: float = Field(
        50,
        gt=0,
        description="Largest picture that is decoded; a JPEG, which is decoded at a fraction of "
        "its size, may have four times as many.",
    )
    picture_decode_s: int = Field(
        5,
        ge=1,
        le=600,
        description="Seconds of processor time that decoding one picture may take.",
    )
    picture_side_px: int = Field(
        2048,
        ge=336,
        description="Pictures are scaled down to this longer side before they are stored.",
    )
    pictures_max_gb: float = Field(
        20,
        ge=0,
        description="Disk for pictures. Beyond it, those of the thread that was used longest ago "
        "are deleted first; 0 is no bound.",
    )
    thread_days: int = Field(
        30,
        ge=0,
        description="Threads are erased after so many days without a question; 0 keeps them.",
    )
    usage_days: int = Field(
        90, ge=0, description="Days that counts of questions are kept; 0 keeps them for ever."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validate_default=True,
        examples=["/srv/llava-bot"],
        description="The private directory for all state; by default the platform's usual place.",
    )
    database_url: SecretStr | None = Field(
        None,
        examples=["postgresql+asyncpg://bot:…@db.example.org/llava_bot"],
        description="A PostgreSQL database, for several processes that share the work; by default "
        "SQLite in `DATA_DIR`.",
    )
    pictures_url: str | None = Field(
        None,
        examples=["s3://bucket/pictures?endpoint=https://s3.example.org&region=us-east-1"],
        description="Where pictures are kept, if not in `DATA_DIR`: `file:///folder`, or a bucket "
        "of an S3-compatible store. Several bots on one database share it.",
    )
    aws_access_key_id: SecretStr | None = Field(
        None,
        examples=["…"],
        description="For `s3://`: the key's id; without keys they come from the machine's role.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        None, examples=["…"], description="For `s3://`: the secret key."
    )
    aws_session_token: SecretStr | None = Field(
        None, examples=["…"], description="For `s3://`: the session's token, of temporary keys."
    )
    drain_s: float = Field(
        10,
        ge=0,
        description="Seconds that running answers have to finish when the bot is stopped; five "
        "seconds later the process has ended, whatever hangs.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged. Texts and pictures never are."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto",
        description="How the log is written: `text` for people, `json` as one object per line, "
        "`auto` as text at a terminal and as JSON everywhere else.",
    )
    follow_ups: FollowUps = Field(
        "thread",
        description="Whether follow-ups in the bot's threads need a mention: `thread` (they do "
        "not) or `mention`.",
    )
    refuse: Literal["sentence", "silence"] = Field(
        "sentence",
        description="What people who may not ask get: a `sentence`, once per hour and channel, or "
        "`silence`. What only they see (a slash command of Discord's) always says it.",
    )
    fetch_links: bool = Field(
        True,
        examples=["false"],
        description="Fetch pictures that a question links to; false contacts no other host.",
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
            thinking=self.thinking,
            token=revealed(self.hf_token),
        )

    @property
    def question_bounds(self) -> QuestionBounds:
        """How many questions users and channels may ask."""
        return QuestionBounds(
            text_characters=self.question_max_characters,
            user_at_once=self.questions_per_user,
            user_per_minute=self.questions_per_user_per_minute,
            user_per_day=self.questions_per_user_per_day,
            channel_at_once=self.questions_per_channel,
            channel_per_minute=self.questions_per_channel_per_minute,
            channel_per_day=self.questions_per_channel_per_day,
        )

    @property
    def pictures_at(self) -> PicturePlace | None:
        """Where pictures are kept; `None`: beside the database."""
        if self.pictures_url is None:
            return None
        place = parse_pictures_url(self.pictures_url)
        if isinstance(place, PictureBucket):
            return replace(
                place,
                access_key_id=self.aws_access_key_id,
                secret_access_key=self.aws_secret_access_key,
                session_token=self.aws_session_token,
            )
        return place

    @property
    def picture_limits(self) -> PictureLimits:
        """The bounds on pictures."""
        return PictureLimits(
            max_bytes=int(self.picture_max_mb * 1e6),
            max_pixels=int(self.picture_max_megapixels * 1e6),
            max_side_px=self.picture_side_px,
            max_kept_bytes=int(self.pictures_max_gb * 1e9),
            decode_s=self.picture_decode_s,
        )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, database_url: SecretStr | None) -> SecretStr | None:
        scheme = (revealed(database_url) or "postgresql").partition(":")[0]
        if scheme not in {"postgresql+asyncpg", "postgresql", "postgres"}:
            raise ValueError("it must begin with postgresql+asyncpg://")
        return database_url

    @field_validator("pictures_url")
    @classmethod
    def _place_is_understood(cls, url: str | None) -> str | None:
        if url is not None:
            parse_pictures_url(url)
        return url

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

    @field_validator("data_dir")
    @classmethod
    def _home_is_understood(cls, data_dir: Path) -> Path:
        try:
            return data_dir.expanduser()
        except RuntimeError:
            if (whose := data_dir.parts[0]) != "~":
                raise ValueError(f"there is no home directory {whose}") from None
            raise ValueError(
                "this user has no home directory: set DATA_DIR to a folder, or set HOME"
            ) from None
