"""Checks a checkpoint's layout and tensors before its weights fill memory.

Names and shapes are in the headers of the weight files. transformers' own loader runs on these
alone, on the meta device, so that its renamings, tied weights and exceptions apply here as they do
when the weights are loaded.
"""

from __future__ import annotations

import copy
import json
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.modeling_utils import load_state_dict
from transformers.utils import (
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    WEIGHTS_INDEX_NAME,
    WEIGHTS_NAME,
)
from transformers.utils.hub import cached_file, get_checkpoint_shard_files

from inference.backends.hub import download
from inference.backends.load_errors import damaged
from inference.backends.quantization import quantization_of, without_quantization
from inference.errors import ModelUnavailable
from inference.models import blip
from inference.names import converted_internvl, converted_name
from inference.progress import Progress
from inference.weights.finding import quantized_modules
from inference.weights.scheme import Scheme

# In the order in which transformers tries them.
WEIGHT_FILES = (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME, WEIGHTS_NAME, WEIGHTS_INDEX_NAME)
LFS_POINTER = b"version https://git-lfs"

ORIGINAL_CLASSES = ("LlavaLlama", "LlavaMistral", "LlavaMpt", "LlavaQwen")
ORIGINAL_TYPES = ("llava_llama", "llava_mistral", "llava_mpt", "llava_qwen")
ORIGINAL_INTERNVL = "internvl_chat"

# LLaVA uses the tower's patch features, never its pooled output: converted checkpoints leave the
# pooling layers out and lose nothing.
_UNUSED_BY_LLAVA = re.compile(r"vision_(tower|model)\..*\b(head|pooler)\.")

PARTS = ("text_config", "vision_config")
SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class Tensors:
    """How the tensors of a checkpoint and those of the model that its config describes differ."""

    num_expected: int
    missing: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    """(name, shape in the checkpoint, shape in the model)."""
    unexpected: tuple[str, ...]
    in_few_bits: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Tensors of each module that the checkpoint's scheme has quantized."""

    @classmethod
    def of(cls, model: Any, info: dict[str, Any]) -> Tensors:
        """Take a model and what `from_pretrained(output_loading_info=True)` says of its loading."""
        unexpected = sorted(info["unexpected_keys"])
        missing = set(info["missing_keys"])
        mismatched = sorted(info["mismatched_keys"])
        if quantization_of(model.config) is not None:
            # A quantized weight has its own shape, and further tensors next to it or in its place.
            modules = {_module_of(name) for name in unexpected}
            missing = {name for name in missing if _module_of(name) not in modules}
            mismatched = [found for found in mismatched if _module_of(found[0]) not in modules]
            own = {name for name, _ in model.named_modules()}
            unexpected = [name for name in unexpected if _module_of(name) not in own]
        expected = {name for name, _ in model.named_parameters()}
        if "llava" in model.config.model_type:
            expected = {name for name in expected if not _UNUSED_BY_LLAVA.search(name)}
        return cls(
            num_expected=len(expected),
            missing=tuple(sorted(missing & expected)),
            mismatched=tuple((name, tuple(a), tuple(b)) for name, a, b in mismatched),
            unexpected=tuple(unexpected),
        )


def check_layout(path: str, options: dict[str, Any], *, name: str) -> None:
    """Check by its config alone that a checkpoint has the layout of transformers.

    Args:
        path: a name on the hub, or a folder.
        options: arguments of `from_pretrained`: revision, token.
        name: as the operator wrote it.

    Raises:
        ModelUnavailable: it is in the layout of LLaVA's or InternVL's own code.
        OSError: it has no config, or it cannot be fetched.
    """
    settings, _ = PreTrainedConfig.get_config_dict(path, **options)
    classes = settings.get("architectures") or ()
    if "text_config" not in settings and (
        "mm_vision_tower" in settings
        or settings.get("model_type") in ORIGINAL_TYPES
        or any(str(found).startswith(ORIGINAL_CLASSES) for found in classes)
    ):
        raise _original_layout(name)
    if settings.get("model_type") == ORIGINAL_INTERNVL:
        raise ModelUnavailable(
            f"The model '{name}' is in the layout of InternVL's own code, which transformers does "
            "not read: set MODEL to a converted checkpoint, "
            f"for example {converted_internvl(name)}."
        )


def check_tensors(
    path: str,
    files: Sequence[Path],
    options: dict[str, Any],
    config: PreTrainedConfig,
    scheme: Scheme | None,
    *,
    name: str,
) -> Tensors | None:
    """Compare the headers of a checkpoint's weights with the model that its config describes.

    No weight is read.

    Args:
        path: a name on the hub, or a folder.
        files: from `weight_files`.
        options: arguments of `from_pretrained`: revision, token.
        config: the checkpoint's.
        scheme: of its quantization, see `scheme_of`.
        name: as the operator wrote it.

    Returns: what was found, None where there are no files of a known kind.

    Raises:
        ModelUnavailable: tensors are missing or have other shapes.
        SafetensorError: the files are damaged.
    """
    if not files:
        return None
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= _header_of(file, name)
    if any("mm_projector." in found for found in tensors):
        raise _original_layout(name)
    model, info = _loaded_on_meta(config, tensors)
    found = Tensors.of(model, info)
    if scheme is not None:
        modules, lacking = quantized_modules(
            model,
            tensors,
            scheme,
            unexpected=info["unexpected_keys"],
            missing=info["missing_keys"],
        )
        found = replace(found, missing=(*found.missing, *lacking), in_few_bits=modules)
    settings, _ = PreTrainedConfig.get_config_dict(path, **options)
    left_out = [part for part in PARTS if part in config.sub_configs and part not in settings]
    refuse_incomplete(found, name=name, left_out=left_out)
    return found


def refuse_incomplete(tensors: Tensors, *, name: str, left_out: Collection[str] = ()) -> None:
    """Refuse a model whose checkpoint lacks some of its weights.

    Args:
        tensors: what was found.
        name: as the operator wrote it.
        left_out: parts that its config does not describe, so that the library's defaults apply.

    Raises: ModelUnavailable.
    """
    total, missing, mismatched = tensors.num_expected, tensors.missing, tensors.mismatched
    if mismatched:
        found, shape, wanted = mismatched[0]
        also = f", and {len(missing)} are missing" if missing else ""
        hint = f" It does not describe {' and '.join(left_out)}." if left_out else ""
        raise ModelUnavailable(
            f"The weights of the model '{name}' do not fit its config.json: {len(mismatched)} of "
            f"{total} tensors have another shape ({found}: {list(shape)} instead of "
            f"{list(wanted)}){also}.{hint} Download both again, or set MODEL to another one."
        )
    if missing:
        raise ModelUnavailable(
            f"The weights of the model '{name}' are incomplete: {len(missing)} of {total} tensors "
            f"are missing ({_first(missing)}). Download it again, or set MODEL to another one."
        )


def unused_tensors(tensors: Tensors, *, name: str) -> str | None:
    """Return a line about tensors that the model does not use, if there are any."""
    unused = tensors.unexpected
    if not unused:
        return None
    return f"{name}: {len(unused)} tensors of its files are not used ({_first(unused)})."


def weight_files(
    path: str, options: dict[str, Any], *, name: str, progress: Progress
) -> list[Path]:
    """Return local paths of the files that transformers would load, downloading what is not here.

    Args:
        path: a name on the hub, or a folder.
        options: arguments of `from_pretrained`: revision, token.
        name: as the operator wrote it.
        progress: receives the reports of a download.

    Raises:
        ModelUnavailable: some of them are missing.
        OSError: they cannot be fetched.
    """

    def fetch(files: Iterable[str]) -> None:
        if not Path(path).is_dir():
            download(path, sorted(files), options, progress, name=name)

    for wanted in WEIGHT_FILES:
        fetch([wanted])
        found = cached_file(path, wanted, **options, _raise_exceptions_for_missing_entries=False)
        if found is None:
            continue
        if not wanted.endswith(".json"):
            return [Path(found)]
        fetch(set(json.loads(Path(found).read_bytes()).get("weight_map", {}).values()))
        shards, _ = get_checkpoint_shard_files(path, found, **options)
        files = [Path(shard) for shard in shards]
        absent = [file.name for file in files if not file.exists()]
        if absent:
            raise ModelUnavailable(
                f"The weights of the model '{name}' are incomplete: {len(absent)} of {len(files)} "
                f"files are missing ({_first(absent)}). Download them again."
            )
        return files
    return []


def _header_of(file: Path, name: str) -> dict[str, Tensor]:
    """Names, shapes and types of a file's tensors, on the meta device."""
    with file.open("rb") as opened:
        if opened.read(len(LFS_POINTER)) == LFS_POINTER:
            raise ModelUnavailable(
                f"The weights of the model '{name}' were not downloaded: {file.name} only says "
                "where Git LFS keeps them. Run 'git lfs pull' in its folder."
            )
    if file.suffix == ".safetensors":
        return load_state_dict(str(file), map_location="meta")
    try:
        found: dict[str, Tensor] = torch.load(
            file, map_location="meta", weights_only=True, mmap=zipfile.is_zipfile(file)
        )
    except (RuntimeError, EOFError):
        raise damaged(name) from None
    except UnpicklingError:
        raise ModelUnavailable(
            f"The weights of the model '{name}' are damaged, or hold more than tensors "
            f"({file.name}): set MODEL to a checkpoint in safetensors."
        ) from None
    return found


def auto_class_of(config: PreTrainedConfig) -> Any:
    """Return transformers' loader for a model that answers about pictures."""
    if blip.answers_questions(config):
        return transformers.AutoModelForVisualQuestionAnswering
    return transformers.AutoModelForImageTextToText


def _loaded_on_meta(config: PreTrainedConfig, tensors: dict[str, Tensor]) -> tuple[Any, Any]:
    """Load meta tensors. Returns: (the model, its loading info)."""
    whole = copy.deepcopy(config)
    without_quantization(whole)
    known: Any = auto_class_of(config)._model_mapping[type(config)]
    model_class = known[0] if isinstance(known, tuple) else known
    with _without_progress_bar():
        model, info = model_class.from_pretrained(
            None,
            config=whole,
            state_dict=tensors,
            device_map={"": "meta"},
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    model.config = config
    return model, info


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    shown = transformers.logging.is_progress_bar_enabled()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers.logging.enable_progress_bar()


def _original_layout(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model '{name}' is in the layout of LLaVA's own code, which transformers does not "
        f"read: set MODEL to a converted checkpoint, for example {converted_name(name)}."
    )


def _module_of(name: str) -> str:
    """``a.b`` of ``a.b.weight``, and of further tensors of it: ``a.b.weight.absmax``."""
    before, found, _ = name.rpartition(".weight.")
    return before if found else name.rpartition(".")[0]


def _first(names: Collection[str]) -> str:
    """The first few of many names."""
    shown = list(names)[:SHOWN_NAMES]
    return ", ".join([*shown, "…"] if len(names) > len(shown) else shown)
