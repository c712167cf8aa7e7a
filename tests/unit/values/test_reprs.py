"""No `repr` quotes people, for it may end up in a log: asyncio's debug mode prints them, and so do
libraries. Whatever holds text is hidden unless it stands below.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr

import bot
import inference
from bot.configuration import setting_groups
from bot.settings import SettingsGroup

NEVER_SEE_PEOPLE = (
    "bot.credentials",
    "bot.doctor",
    "bot.setup",
    "bot.store.backup",
    "bot.store.migrations",
    "bot.unknown_settings",
    "inference.backends",
    "inference.bench",
    "inference.catalogue",
    "inference.kernels",
    "inference.models",
    "inference.pocket",
    "inference.weights",
)
"""Packages that know models, machines and names of settings."""

TEXT = re.compile(r"\b(str|bytes|Any|object|Text|URL)\b|\[int")
CODE = re.compile(r"Callable\[")

SHOWN = {
    # ids of the platforms, which say who and where, never what
    *("platform", "team", "teams", "channel", "channels", "users", "roles", "user_id", "thread"),
    *("message", "ts", "thread_ts", "id", "owner", "about", "prefix", "next", "asked_by"),
    *("admins", "direct_prefix", "person", "whose"),
    # words of ours: text keys, choices, digests, kinds
    *("key", "kind", "digest", "suffix", "event_type", "event_types", "follow_ups", "place"),
    *("markup", "channel_form", "title", "reason", "timings", "locale", "needs_mention_told"),
    *("outcome", "language", "people", "setting", "bound", "where", "document"),
    # the operator's: settings but their values, models, machines
    *("path", "lines", "problems", "variable", "origin", "what", "fix", "file", "bucket"),
    *("endpoint", "region", "model", "revision", "device", "family", "weights", "languages"),
    *("split", "models", "subject", "category", "rating"),
    *("cache_dtype", "engine", "why_not_fast", "within"),
    # numbers that are no tokens
    *(
        "pages",
        "positions",
        "at",
        "read",
        "rows",
        "grid",
        "canvases",
        "_own",
        "_claim",
        "counts",
        "probe",
        "times_ms",
        "shown",
        "missing",
        "boxes",
        "order",
        "offset_kind",
        "count_kind",
    ),
    # what servers and their requests are made of
    *("addresses", "address", "problem", "clear_path", "finish_reason", "param", "mark"),
    # a thread's ts; what a token looks like, and whose it is
    *("threads", "idle", "sentence", "form", "detail"),
}
"""Fields with text that a `repr` may show."""

NAMES_OF_OURS = {
    "bot.core.presets.Preset",
    "bot.platforms.api.keys.ApiKey",
    "bot.platforms.entry.PlatformEntry",
    "bot.values.named_models.NamedModel",
    "inference.remote.kinds.Kind",
    "inference.types.ModelInfo",
    "inference.types.ModelSpec",
}
"""Classes whose `name` is a platform's, a model's, a program's or the operator's."""


def modules() -> Iterator[ModuleType]:
    for package in (bot, inference):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.startswith(NEVER_SEE_PEOPLE) or found.name.endswith("__main__"):
                continue
            try:
                yield importlib.import_module(found.name)
            except ModuleNotFoundError as exc:
                assert exc.name in {"triton", "cuda"}, exc  # noqa: PT017 - not on this machine


def classes() -> Iterator[tuple[str, type]]:
    for module in modules():
        for name, it in vars(module).items():
            if isinstance(it, type) and it.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", it


def shown_text(name: str, it: type) -> list[str]:
    """The fields with text, or with what text is made of, that the class's `repr` shows."""
    if not dataclasses.is_dataclass(it):
        return [f"{name}.{field}" for field in getattr(it, "_fields", ())]  # a named tuple's
    return [
        f"{name}.{field.name}"
        for field in dataclasses.fields(it)
        if field.repr
        and TEXT.search(str(field.type))
        and not CODE.search(str(field.type))
        and field.name not in SHOWN
        and not (field.name == "name" and name in NAMES_OF_OURS)
    ]


def test_no_value_shows_what_people_wrote_in_its_repr() -> None:
    found = list(classes())
    assert len(found) > 300
    shown = [field for name, it in found for field in shown_text(name, it)]
    assert shown == [], "hide it with field(repr=False), or say above why it holds nobody's words"


@pytest.mark.parametrize("group", setting_groups(), ids=lambda it: it.__name__)
def test_no_setting_shows_a_secret(group: type[SettingsGroup]) -> None:
    secrets = {
        name: "planted-secret-of-some-length"
        for name, field in group.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    named = re.compile(r"(^|_)(token|secret|password|key)$")
    assert {name for name in group.model_fields if named.search(name)} <= set(secrets)
    values: dict[str, Any] = {name: SecretStr(it) for name, it in secrets.items()}
    made = group.model_construct(None, **values)
    for said in (repr(made), str(made), str(made.model_dump()), made.model_dump_json()):
        assert "planted" not in said
