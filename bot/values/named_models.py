"""Several models, each by the name that people choose it by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from inference.errors import ModelUnavailable
from inference.names import check_name, is_remote
from inference.types import Quantization

FORM = "name=model,name=model"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,29}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """One of several models."""

    name: str
    """What people call it."""
    model: str
    """As `MODEL`."""
    quantize: Quantization | None = None
    """`None`: as `QUANTIZE`."""


def parse_models(given: object) -> object:
    """Parse `quick=pocket,good=owner/name:nf4`. Raises: ValueError: its message is a rule."""
    if not isinstance(given, str):
        return given
    models = tuple(_parse(part) for part in _parts(given))
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two models are called {twice}")
    return models or None


def _parts(given: str) -> list[str]:
    """One per model: a further address of a server belongs to the one before."""
    parts: list[str] = []
    for part in filter(None, (piece.strip() for piece in given.split(","))):
        if parts and part.startswith(("http://", "https://")):
            parts[-1] = f"{parts[-1]},{part}"
        else:
            parts.append(part)
    return parts


def _parse(part: str) -> NamedModel:
    name, equals, model = (piece.strip() for piece in part.partition("="))
    if not equals or not model:
        raise ValueError(f"it has the form {FORM}")
    if _NAME.fullmatch(name.lower()) is None:
        raise ValueError("a name has letters, digits, dots and hyphens, at most 30")
    model, quantize = split_precision(model)
    return NamedModel(name=name.lower(), model=_known(model), quantize=quantize)


def split_precision(model: str) -> tuple[str, Quantization | None]:
    """Take `owner/name:nf4` apart. Returns: (the model, its precision if one is named)."""
    if is_remote(model):  # its server decides about precision, and its name may have a colon
        return model, None
    rest, colon, precision = model.rpartition(":")
    for quantize in get_args(Quantization):
        if colon and rest and precision == quantize:
            return rest, quantize
    return model, None


def _known(model: str) -> str:
    try:
        check_name(model)
    except ModelUnavailable as exc:
        raise ValueError(str(exc).replace("MODEL", "MODELS").removesuffix(".")) from None
    return model
