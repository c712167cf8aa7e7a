"""Names of models: what people write, and what is loaded for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from inference.errors import ModelUnavailable
from inference.spelling import nearest

POCKET: Final = "pocket"
REMOTE: Final = "openai:"
"""Begins the name of a model that an OpenAI-compatible server runs."""
REMOTE_FORM: Final = "openai:http://host:8000/v1#model"

# The original checkpoints' names → the same weights in the format that transformers loads.
ALIASES: Final = {
    "liuhaotian/llava-v1.5-7b": "llava-hf/llava-1.5-7b-hf",
    "liuhaotian/llava-v1.5-13b": "llava-hf/llava-1.5-13b-hf",
    "liuhaotian/llava-v1.6-mistral-7b": "llava-hf/llava-v1.6-mistral-7b-hf",
    "liuhaotian/llava-v1.6-vicuna-7b": "llava-hf/llava-v1.6-vicuna-7b-hf",
    "liuhaotian/llava-v1.6-vicuna-13b": "llava-hf/llava-v1.6-vicuna-13b-hf",
    "liuhaotian/llava-v1.6-34b": "llava-hf/llava-v1.6-34b-hf",
}

# Checkpoints of the families that the table in `inference.models` knows.
DOCUMENTED: Final = (
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen2.5-VL-7B-Instruct",
    "Salesforce/blip2-opt-2.7b",
    "Salesforce/blip-vqa-base",
    "Salesforce/blip-image-captioning-base",
    "HuggingFaceTB/SmolVLM-Instruct",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
    "OpenGVLab/InternVL3-8B-hf",
    "OpenGVLab/InternVL3_5-8B-HF",
)

_INTERNVL = re.compile(r"internvl(3_5|3)-(\d+b(?:-a\d+b)?)", re.IGNORECASE)
_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteName:
    """A model that runs on servers of its own."""

    addresses: tuple[str, ...]
    """Where the API is, without a slash at the end; at least one."""
    model: str = ""
    """As the servers call it; empty: the only one that they have."""


def is_remote(name: str) -> bool:
    """Whether a server runs the model: nothing is loaded here."""
    return name.startswith(REMOTE)


def parse_remote(name: str) -> RemoteName:
    """Take `openai:http://a:8000/v1,http://b:8000/v1#model` apart. Raises: ModelUnavailable."""
    listed, _, model = name.removeprefix(REMOTE).partition("#")
    addresses = [part.strip().rstrip("/") for part in listed.split(",") if part.strip()]
    if not addresses:
        raise ModelUnavailable(f"MODEL names no server: it has the form {REMOTE_FORM}.")
    for address in addresses:
        _check_address(address)
    return RemoteName(addresses=tuple(dict.fromkeys(addresses)), model=model.strip())


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ModelUnavailable(f"A server of MODEL has no address: it has the form {REMOTE_FORM}.")
    if parts.username is not None or parts.query:
        raise ModelUnavailable(
            "An address in MODEL holds a password or a query: set MODEL_SERVER_API_KEY instead."
        )


def shown_name(name: str) -> str:
    """Return what people may see of a name: where its servers are is nobody's business."""
    if not is_remote(name):
        return name
    return parse_remote(name).model


def resolve_name(name: str) -> str:
    """Return the checkpoint to load for a name that people write."""
    return ALIASES.get(name, name)


def converted_name(name: str) -> str:
    """Return the converted checkpoint closest to an original one, given by name or by folder."""
    for original, converted in ALIASES.items():
        if original.rpartition("/")[2] in name.lower():
            return converted
    return ALIASES["liuhaotian/llava-v1.5-7b"]


def converted_internvl(name: str) -> str:
    """Return the converted checkpoint closest to an original InternVL, by name or by folder."""
    found = _INTERNVL.search(name)
    version, size = ("3_5", "8B") if found is None else found.groups()
    return f"OpenGVLab/InternVL{version}-{size.upper()}-{'HF' if version == '3_5' else 'hf'}"


def is_folder(name: str) -> bool:
    """Whether a model is named by its folder."""
    return (path := _path(name)) is not None and path.is_dir()


def is_hub_name(name: str) -> bool:
    """Whether a name has the form of the model hub's: owner/name."""
    return _HUB_NAME.fullmatch(name) is not None


def _path(name: str) -> Path | None:
    """Where a name leads to, if anything is there."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a null character
        return None


def check_name(name: str) -> None:
    """Refuse at once what cannot be a model's name. Raises: ModelUnavailable."""
    if is_remote(name):
        parse_remote(name)
        return
    if name == POCKET or is_hub_name(name) or _path(name) is not None:
        return
    if name.startswith((".", "/", "~")) or "/" in name or "\\" in name:
        raise ModelUnavailable(f"There is no folder '{name}': check MODEL.")
    hint = did_you_mean(name) or (
        "MODEL is pocket, a name on the model hub (owner/name), a folder, or a server "
        f"({REMOTE_FORM})."
    )
    raise ModelUnavailable(f"There is no model '{name}'. {hint}")


def did_you_mean(name: str) -> str | None:
    """Return a question that names the model which was meant, if one is near."""
    known = [POCKET, *ALIASES, *ALIASES.values(), *DOCUMENTED]
    by_spelling: dict[str, str] = {}
    for one in known:
        # An owner is easily left out.
        by_spelling.setdefault(one.lower(), one)
        by_spelling.setdefault(one.lower().rpartition("/")[2], one)
    near = nearest(name, by_spelling)
    if near is None:
        # So is an end (`-hf`, `-Instruct`), if only one name goes on like that.
        longer = {by_spelling[one] for one in by_spelling if one.startswith(f"{name.lower()}-")}
        found = longer.pop() if len(longer) == 1 else None
    else:
        found = by_spelling[near]
    return None if found in {None, name} else f"Did you mean {found}?"
