"""What a model needs before it can be loaded: found without torch, and without loading anything."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants

from inference.names import POCKET, check_name, is_folder, resolve_name
from inference.pocket.fetch import NEEDED_BYTES, pocket_dir
from inference.types import ModelSpec

POCKET_RAM_BYTES = 2_000_000_000  # measured: the whole process
WEIGHTS = (".safetensors", ".bin")
HUB_S = 8.0
_SIZE_IN_NAME = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d+)?)[bB](?![a-zA-Z])")
_BYTES_PER_PARAMETER = 2  # as checkpoints are published: 16 bits

RATIO = {"none": 1.0, "int8": 0.55, "nf4": 0.32}
"""Held weights to the 16-bit checkpoint: some tensors stay in 16 bits."""
OVERHEAD_BYTES = 2_000_000_000
"""Beside the weights: activations, a small cache, libraries."""


class Place(StrEnum):
    """Where the weights are."""

    BUILT = "built"
    """The pocket, put together."""
    FOLDER = "folder"
    CACHE = "cache"
    PARTLY = "partly"
    """A download that was broken off; it will be resumed."""
    HUB = "hub"
    """On the hub, if anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of a model."""

    place: Place
    folder: Path
    """Where its files are or will be."""
    weight_bytes: int | None
    """Of the 16-bit checkpoint."""
    missing_bytes: int | None
    """What is to be fetched or built, on the disk; 0: nothing."""
    is_pocket: bool = False

    def needed_bytes(self, quantize: str, *, on_gpu: bool) -> int | None:
        """Memory for the model, with a little room for the cache."""
        if self.is_pocket:
            return POCKET_RAM_BYTES
        if self.weight_bytes is None:
            return None
        # A processor computes in float32.
        ratio = RATIO[quantize] if on_gpu or quantize != "none" else 2.0
        return int(self.weight_bytes * ratio) + OVERHEAD_BYTES


def survey(spec: ModelSpec, *, cache_dir: Path) -> Survey:
    """Look for a model's files; ask the hub for its size if they are not here. Blocking.

    Raises:
        ModelUnavailable: this is no model's name.
    """
    name = resolve_name(spec.name)
    check_name(name)
    if is_folder(name):
        size = weight_bytes_in(Path(name).expanduser())
        folder = Path(name).expanduser()
        return Survey(place=Place.FOLDER, folder=folder, weight_bytes=size, missing_bytes=0)
    if name == POCKET:
        built = pocket_dir(cache_dir).is_dir()
        return Survey(
            place=Place.BUILT if built else Place.HUB,
            folder=cache_dir,
            weight_bytes=None,
            missing_bytes=0 if built else NEEDED_BYTES,
            is_pocket=True,
        )
    return _on_the_hub(name, spec)


def is_here(spec: ModelSpec, *, cache_dir: Path) -> bool:
    """Whether a model can be loaded without a download; nobody is asked. Blocking.

    Raises:
        ModelUnavailable: this is no model's name.
    """
    name = resolve_name(spec.name)
    check_name(name)
    if is_folder(name):
        return True
    if name == POCKET:
        return pocket_dir(cache_dir).is_dir()
    config = huggingface_hub.try_to_load_from_cache(name, "config.json", revision=spec.revision)
    return isinstance(config, str) and _has_all_weights(Path(config).parent)


def _has_all_weights(snapshot: Path) -> bool:
    indexes = [*snapshot.glob("*.index.json")]
    shards = {
        shard
        for it in indexes
        for shard in json.loads(it.read_bytes()).get("weight_map", {}).values()
    }
    if shards:
        return all((snapshot / shard).exists() for shard in shards)
    return weight_bytes_in(snapshot) > 0


def _on_the_hub(name: str, spec: ModelSpec) -> Survey:
    folder = Path(constants.HF_HUB_CACHE)
    size = _size_at_the_hub(name, spec) or size_by_name(name)
    snapshot = huggingface_hub.try_to_load_from_cache(name, "config.json", revision=spec.revision)
    if not isinstance(snapshot, str):
        return Survey(place=Place.HUB, folder=folder, weight_bytes=size, missing_bytes=size)
    here = weight_bytes_in(Path(snapshot).parent)
    if here and (size is None or here > 0.9 * size):
        return Survey(
            place=Place.CACHE, folder=Path(snapshot).parent, weight_bytes=here, missing_bytes=0
        )
    missing = None if size is None else size - here
    return Survey(place=Place.PARTLY, folder=folder, weight_bytes=size, missing_bytes=missing)


def _size_at_the_hub(name: str, spec: ModelSpec) -> int | None:
    if constants.HF_HUB_OFFLINE:
        return None
    try:
        info = huggingface_hub.HfApi(token=spec.token or None).model_info(
            name, revision=spec.revision, files_metadata=True, timeout=HUB_S
        )
    except Exception:  # noqa: BLE001 - whatever keeps the hub from answering, the name may tell
        return None
    return _one_form({file.rfilename: file.size or 0 for file in info.siblings or ()}) or None


def weight_bytes_in(folder: Path) -> int:
    """The size of a checkpoint's weights: safetensors where there are any, else the rest."""
    return _one_form({path.name: path.stat().st_size for path in folder.iterdir()})


def _one_form(sizes: dict[str, int]) -> int:
    for suffix in WEIGHTS:
        if total := sum(size for name, size in sizes.items() if name.endswith(suffix)):
            return total
    return 0


def size_by_name(name: str) -> int | None:
    """`llava-1.5-7b-hf` has seven billion parameters in 16 bits each."""
    found = _SIZE_IN_NAME.findall(name)
    return int(float(found[-1]) * 1e9 * _BYTES_PER_PARAMETER) if found else None
