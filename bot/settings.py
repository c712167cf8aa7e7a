"""Settings from the environment and `.env`, typed; all problems are reported at once."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bot.env_file import read_env_file
from bot.errors import ConfigurationError
from bot.values.limits import FollowUps, PictureLimits
from inference.types import CacheQuantization, DType, EngineChoice, ModelSpec, Quantization

ENV_FILE = Path(".env")


def default_data_dir() -> Path:
    """The platform's usual place for application data."""
    try:
        return platformdirs.user_data_path("llava-bot", appauthor=False)
    except RuntimeError:
        return Path("~/.llava-bot")  # nobody's home: refused where the setting is checked


def ensure_home(data_dir: Path) -> None:
    """Give a user without a home directory `data_dir` for one: libraries keep their caches there.

    A service's user often has none; the model hub would then make a folder named `~`, wherever
    the bot was started.
    """
    if not _home_holds_caches():
        os.environ["HOME"] = str(data_dir.absolute())


def _home_holds_caches() -> bool:
    try:
        home = Path.home()
        # One that cannot be written may come with a model in it, as in a container's image.
        return (home / ".cache").is_dir() or (home.is_dir() and os.access(home, os.W_OK))
    except (RuntimeError, OSError):  # unknown, or hidden from this user
        return False


class _EnvFile(DotEnvSettingsSource):
    """Settings from `.env`, by our own reader: pydantic's raises what no operator can read."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in read_env_file(ENV_FILE).items() if value}


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Ids = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]
"""Ids in one variable, between commas or spaces."""


class Settings(BaseSettings):
    """Every setting; its name in capitals is the variable's."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, and that over `.env`."""
        return init_settings, env_settings, _EnvFile(settings_cls), file_secret_settings

    model: str = Field(
        "pocket",
        description="The model: `pocket`, a name on the model hub such as "
        "`llava-hf/llava-1.5-7b-hf`, or a folder.",
    )
    model_revision: str | None = Field(
        None, description="A branch, tag or commit of the model's repository."
    )
    hf_token: SecretStr | None = Field(
        None, description="Token of the model hub, for models that ask for one."
    )
    quantize: Quantization = Field(
        "none", description="Hold the weights in fewer bits: `none`, `int8` or `nf4` (4 bits)."
    )
    dtype: DType = Field(
        "auto",
        description="Number format of the weights: `auto` (bfloat16 on a GPU, float32 on a CPU), "
        "`float32`, `bfloat16`, `float16`.",
    )
    device: str = Field("auto", description="Where the model runs: `auto`, `cpu`, `cuda:0`, …")
    devices: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_split)] = Field(
        None,
        description="Several GPUs, each with the whole model: `cuda:0,cuda:1`. A thread stays on "
        "the one that holds its cache.",
    )
    context_tokens: Annotated[int, Field(ge=128)] | None = Field(
        None, description="Bound the model's context, to save memory."
    )
    cache_tokens: Annotated[int, Field(ge=256)] | None = Field(
        None,
        description="Tokens of all threads together that the engine keeps; by default what the "
        "GPU's memory holds.",
    )
    quantize_cache: CacheQuantization = Field(
        "auto",
        description="Keep what threads have read in 8 bits (`int8`: twice as many fit) or as it "
        "was computed (`none`); `auto` takes 8 bits where the weights have fewer than 16.",
    )
    engine: EngineChoice = Field(
        "auto",
        description="`auto` runs the models that it can on the fast path, many threads at once; "
        "`transformers` runs any model by its own `generate`, one question at a time.",
    )
    max_pictures: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Pictures the model is shown at once; by default what suits its family."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None, description="0 always gives the likeliest answer; by default the model's own (0.2)."
    )
    max_new_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Longest answer in tokens; by default the model's own (512)."
    )
    system_prompt: str | None = Field(
        None, description="Said to the model before every conversation."
    )
    max_waiting: int = Field(
        32, ge=0, description="Questions that may wait for the model; one more is refused."
    )
    questions_per_user: int = Field(
        5, ge=1, description="Questions one person may have under way at once."
    )
    pictures_per_question: int = Field(8, ge=1, le=32, description="Pictures read a question.")
    picture_max_mb: float = Field(30, gt=0, description="Largest picture file that is read.")
    picture_max_megapixels: float = Field(
        50,
        gt=0,
        description="Largest picture that is decoded; a JPEG, which is decoded at a fraction of "
        "its size, may have four times as many.",
    )
    picture_side_px: int = Field(
        2048, ge=336, description="Pictures are shrunk to this longer side before they are kept."
    )
    thread_days: int = Field(
        30, ge=0, description="Threads nobody touched for so long are erased; 0 keeps them."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validate_default=True,
        description="The private directory for all state; by default the platform's usual place.",
    )
    drain_s: float = Field(
        10, ge=0, description="Seconds a running answer may take to end when the bot is stopped."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged. Texts and pictures never are."
    )
    follow_ups: FollowUps = Field(
        "thread",
        description="Whether follow-ups in the bot's threads need a mention: `thread` (they do "
        "not) or `mention`.",
    )
    fetch_links: bool = Field(
        True, description="Look at pictures that a question links to; false asks no other host."
    )
    slack_bot_token: SecretStr | None = Field(
        None, description="Slack: the bot token (`xoxb-…`) of the one workspace."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="Slack: the app-level token (`xapp-…`); with it, Socket Mode is used."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="Slack: the signing secret; without an app token, HTTP mode is used."
    )
    slack_client_id: str | None = Field(
        None, description="Slack: with the client secret, several workspaces can install the app."
    )
    slack_client_secret: SecretStr | None = Field(
        None, description="Slack: the client secret, for installations by OAuth."
    )
    slack_api_url: str = Field(
        "https://slack.com/api/",
        description="Slack: address of the Web API; `https://slack-gov.com/api/` for GovSlack.",
    )
    slack_http_host: str = Field(
        "127.0.0.1", description="Slack: address that HTTP mode and OAuth listen on."
    )
    slack_http_port: int = Field(
        3000, ge=0, le=65535, description="Slack: port that HTTP mode and OAuth listen on."
    )
    slack_teams: Ids = Field(
        frozenset(), description="Slack: workspaces (`T…`) that may ask; empty lets all in."
    )
    slack_channels: Ids = Field(
        frozenset(), description="Slack: channels (`C…`) where it answers; empty is all."
    )
    slack_users: Ids = Field(
        frozenset(), description="Slack: people (`U…`) who may ask; empty lets all in."
    )
    discord_bot_token: SecretStr | None = Field(
        None, description="Discord: the bot's token, from the Developer Portal."
    )
    discord_guilds: Ids = Field(
        frozenset(), description="Discord: servers that may ask; empty lets all in."
    )
    discord_channels: Ids = Field(
        frozenset(), description="Discord: channels where it answers; empty is all."
    )
    discord_roles: Ids = Field(
        frozenset(), description="Discord: roles that may ask; empty lets all in."
    )
    discord_users: Ids = Field(
        frozenset(), description="Discord: people who may ask; empty lets all in."
    )
    discord_direct_messages: bool = Field(
        True,
        description="Discord: answer direct messages; where lists of servers, channels or roles "
        "are set, only those of the people on `DISCORD_USERS`.",
    )
    discord_shard_count: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Discord: shards of all processes together; by default what it advises."
    )
    discord_shard_ids: Annotated[frozenset[int], NoDecode, BeforeValidator(_split)] = Field(
        frozenset(), description="Discord: the shards of this process; empty is all."
    )
    discord_resolve_to: str | None = Field(
        None, description="Discord: `host:port` of a gateway that all its hosts are reached by."
    )
    discord_ca_file: Path | None = Field(
        None, description="Discord: the certificates (PEM) that such a gateway is trusted by."
    )
    llava_bot_host: str = Field(
        "127.0.0.1",
        description="Address the playground listens on; any other needs a password.",
    )
    llava_bot_port: int = Field(8787, ge=0, le=65535, description="Port of the playground.")
    llava_bot_password: SecretStr | None = Field(
        None, validate_default=True, description="Password of the playground (any user name)."
    )

    @property
    def model_spec(self) -> ModelSpec:
        """What to load, and how to hold it."""
        return ModelSpec(
            name=self.model,
            revision=self.model_revision,
            quantize=self.quantize,
            dtype=self.dtype,
            device=self.device,
            context_tokens=self.context_tokens,
            max_pictures=self.max_pictures,
            cache_tokens=self.cache_tokens,
            quantize_cache=self.quantize_cache,
            engine=self.engine,
            token=None if self.hf_token is None else self.hf_token.get_secret_value(),
        )

    @property
    def picture_limits(self) -> PictureLimits:
        """The bounds on pictures."""
        return PictureLimits(
            max_bytes=int(self.picture_max_mb * 1e6),
            max_pixels=int(self.picture_max_megapixels * 1e6),
            max_side_px=self.picture_side_px,
        )

    @field_validator("slack_api_url")
    @classmethod
    def _ends_with_a_slash(cls, address: str) -> str:
        if not address.startswith(("https://", "http://")):
            raise ValueError("it is no web address")
        return address if address.endswith("/") else f"{address}/"

    @field_validator("discord_resolve_to")
    @classmethod
    def _names_host_and_port(cls, place: str | None) -> str | None:
        if place is not None:
            host, _, port = place.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError("it is not host:port")
        return place

    @field_validator("discord_shard_ids")
    @classmethod
    def _has_their_number(cls, ids: frozenset[int], info: ValidationInfo) -> frozenset[int]:
        count = info.data.get("discord_shard_count")
        if ids and count is None:
            raise ValueError("DISCORD_SHARD_COUNT must say how many there are in all")
        if not all(0 <= shard < int(count or 0) for shard in ids):
            raise ValueError("a shard's id is less than DISCORD_SHARD_COUNT")
        return ids

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

    @field_validator("llava_bot_password")
    @classmethod
    def _needed_when_others_can_reach_the_playground(
        cls, password: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if password is None and not is_loopback(info.data.get("llava_bot_host", "localhost")):
            raise ValueError("it is needed when LLAVA_BOT_HOST is not a loopback address")
        return password


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` (not `None`) win over environment and `.env`.

    Raises:
        ConfigurationError: names every setting that is wrong, one a line, or says what is wrong
            with `.env`.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as exc:
        problems = [_problem(dict(error)) for error in exc.errors()]
        raise ConfigurationError("\n".join(problems)) from None


def _problem(error: dict[str, Any]) -> str:
    name = str(error["loc"][0]).upper()
    message = str(error["msg"]).removeprefix("Value error, ")
    is_secret = any(word in name for word in ("PASSWORD", "TOKEN", "SECRET"))
    is_default = isinstance(error["input"], Path)
    given = "" if is_secret or is_default else f" (it is {error['input']!r})"
    return f"{name}: {message}{given}."
