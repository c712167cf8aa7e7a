"""The fields of a chat completion beside its messages; unknown ones are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.platforms.api.errors import ApiRefusal

MAX_STOPS: Final = 4
MAX_STOP_CHARACTERS: Final = 256
MAX_TOKENS: Final = 2**31 - 1
LEAST_TOP_P: Final = 1e-6
"""What 0 means: the likeliest token alone."""


def _as_stops(given: object) -> object:
    return [given] if isinstance(given, str) else given


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool = False


class Options(BaseModel):
    """What a request chooses; `None` leaves it to the bot."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]] | None,
        Field(max_length=MAX_STOPS),
        BeforeValidator(_as_stops),
    ] = None
    n: int | None = None
    logprobs: bool | int | None = None
    response_format: dict[str, Any] | None = None
    tool_choice: Any = None

    @property
    def max_new_tokens(self) -> int | None:
        """The longest answer; the newer name wins."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def includes_usage(self) -> bool:
        """Whether a stream ends with what it took."""
        return self.stream_options is not None and self.stream_options.include_usage


def parse_options(given: dict[str, Any]) -> Options:
    """Read what a request chooses.

    Raises: ApiRefusal: a value is wrong, or the answer would not be what was asked for.
    """
    try:
        options = Options.model_validate(given)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in error["loc"][:2] if isinstance(part, str))
        rule = error["msg"].removeprefix("Value error, ")
        raise ApiRefusal(400, "api_value", param=field, field=field, rule=rule) from None
    kind = (options.response_format or {}).get("type", "text")
    forced = options.tool_choice not in (None, "none", "auto")
    unsupported = {
        "n": options.n not in (None, 1),
        "logprobs": bool(options.logprobs),
        "response_format": kind != "text",
        "tool_choice": forced,
    }
    for name, is_asked in unsupported.items():
        if is_asked:
            raise ApiRefusal(400, "api_unsupported", param=name, field=name)
    return options
