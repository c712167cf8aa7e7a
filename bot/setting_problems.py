"""What is wrong with a setting's value, in one sentence for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.spelling import nearest

SECRET_WORDS = (
    "API_KEYS",
    "ACCESS_KEY",
    "ACCESS_KEY_ID",
    "DATABASE_URL",
    "PASSWORD",
    "SECRET",
    "TOKEN",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting as somebody has set it, or has not."""

    variable: str
    value: object = field(default=None, repr=False)
    origin: str = ""
    """Where it was set, as it follows `it is 7`."""

    @property
    def is_set(self) -> bool:
        """Whether anything has set it."""
        return self.value is not None

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown."""
        return self.variable.endswith(SECRET_WORDS)  # `CONTEXT_TOKENS` is none


def problem(setting: Setting, error: Mapping[str, Any], choices: Sequence[str] = ()) -> str:
    """The sentence: name, what it may be, what it is, where it was set.

    Args:
        error: one of pydantic's `ValidationError.errors()`.
        choices: the words that the setting can be, if it is a choice.
    """
    given = ""
    if setting.is_set:
        given = f" ({'set' if setting.is_secret else f'it is {setting.value!r}'} {setting.origin})"
    sentence = f"{setting.variable}: {_rule(error, choices)}{given}"
    meant = nearest(str(setting.value), choices) if choices and not setting.is_secret else None
    return f"{sentence}." if meant is None else f"{sentence}: did you mean {meant}?"


def _rule(error: Mapping[str, Any], choices: Sequence[str]) -> str:
    limits = error.get("ctx", {})
    match error["type"]:
        case "literal_error":
            return f"it can be {', '.join(choices[:-1])} or {choices[-1]}"
        case "bool_parsing" | "bool_type":
            return "it can be yes or no (also on or off, true or false, 1 or 0)"
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "it must be a whole number"
        case "float_parsing" | "float_type" | "finite_number":
            return "it must be a number"
        case "greater_than":
            return f"it must be more than {limits['gt']:g}"
        case "greater_than_equal":
            return f"it must be at least {limits['ge']:g}"
        case "less_than":
            return f"it must be less than {limits['lt']:g}"
        case "less_than_equal":
            return f"it must be at most {limits['le']:g}"
        case _:
            return str(error["msg"]).removeprefix("Value error, ")
