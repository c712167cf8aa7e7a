"""Names of models: what people write, and what is loaded for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from inference.errors import ModelUnavailable
from inference.spelling import nearest

POCKET: Final = "pocket"

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
    "HuggingFaceTB/SmolVLM-Instruct",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
    "OpenGVLab/InternVL3-8B-hf",
    "OpenGVLab/InternVL3_5-8B-HF",
)

_INTERNVL = re.compile(r"internvl(3_5|3)-(\d+b(?:-a\d+b)?)", re.IGNORECASE)
_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


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
    if name == POCKET or is_hub_name(name) or _path(name) is not None:
        return
    if name.startswith((".", "/", "~")) or "/" in name or "\\" in name:
        raise ModelUnavailable(f"There is no folder '{name}': check MODEL.")
    hint = did_you_mean(name) or (
        "MODEL is pocket, a name on the model hub (owner/name), or a folder."
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
