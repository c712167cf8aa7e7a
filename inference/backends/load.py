"""Load a model by name: from `ModelSpec` to a backend that has answered once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from transformers import (
    AutoConfig,
    GenerationConfig,
    PreTrainedConfig,
)

from inference.backends.assemble_batching import batching_backend, why_not_fast
from inference.backends.checkpoint import (
    Tensors,
    auto_class_of,
    check_layout,
    check_tensors,
    refuse_incomplete,
    unused_tensors,
    weight_files,
)
from inference.backends.direct import DirectBackend
from inference.backends.generate import GenerateModel
from inference.backends.gpu_memory import GpuMemory
from inference.backends.hub import check_reachable
from inference.backends.load_errors import one_sentence
from inference.backends.placement import placement
from inference.backends.quantization import (
    bytes_of,
    held_as,
    in_words,
    method_of,
    quantization_of,
    without_quantization,
)
from inference.backends.reporting import reporting_weights
from inference.backends.sequential import SequentialBackend
from inference.backends.warm_up import warm_up
from inference.device import device_of, trim_heap, use_expandable_segments
from inference.errors import ModelUnavailable
from inference.execution.linears import UnsupportedWeights
from inference.models import chat_template, family_of
from inference.models.family import Family
from inference.models.processor import complete_processor, load_processor
from inference.models.template_probe import dialect_of
from inference.names import POCKET, check_name, is_folder, is_hub_name, is_remote, resolve_name
from inference.pocket.answering.looker import found_answers
from inference.progress import LoadProgress, Phase, Progress
from inference.serving.backend import Backend
from inference.thinking import Thinking
from inference.types import (
    ModelInfo,
    ModelSpec,
    Sampling,
)
from inference.weights.quantizer import settings_for
from inference.weights.scheme import scheme_of

THINKING_TOKENS = 4096
"""Longest answer of a model that thinks, thoughts included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that transformers has loaded, before a path is chosen for it."""

    weights: Any
    """A `PreTrainedModel` in eval mode."""
    processor: Any
    family: Family
    model: ModelInfo


def load_model(spec: ModelSpec, *, cache_dir: Path, progress: Progress) -> Backend:
    """Load weights and processor and run them once, so that no user waits for a warm-up.

    The fast path runs the models it supports; transformers' `generate` runs every other one.

    Args:
        spec: what to load.
        cache_dir: for the assembled pocket model and compiled kernels.
        progress: receives the reports of everything that takes time.

    Raises:
        ModelUnavailable: its message is one sentence for the operator.
    """
    loaded = load_weights(spec, cache_dir=cache_dir, progress=progress)
    return warmed_up(loaded, spec, cache_dir=cache_dir, progress=progress)


def warmed_up(loaded: Loaded, spec: ModelSpec, *, cache_dir: Path, progress: Progress) -> Backend:
    """Choose the path of a loaded model and run it once; see `load_model`."""
    progress.report(LoadProgress(phase=Phase.WARMING_UP))
    backend = backend_of(loaded, spec, cache_dir=cache_dir)
    if loaded.family.name == POCKET:
        found = found_answers(loaded.weights)
        backend = DirectBackend(backend, found, loaded.processor.tokenizer)
    why_not = backend.model.why_not_fast
    path = "fast" if why_not is None else f"plain ({why_not})"
    held = in_words(backend.model)
    progress.say(f"{spec.name} is ready on {backend.model.device} ({held}); its path: {path}.")
    return backend


def load_weights(spec: ModelSpec, *, cache_dir: Path, progress: Progress) -> Loaded:
    """Load weights and processor; see `load_model`."""
    check_name(spec.name)
    if is_remote(spec.name):
        raise ModelUnavailable(
            "A server runs this model: name one in MODEL that can be loaded here."
        )
    progress.say(f"Loading the model {spec.name} …")
    # `one_sentence` reports errors; the libraries' retries and hints would bury it.
    transformers.logging.set_verbosity_error()
    huggingface_hub.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    device = device_of(spec.device)
    use_expandable_segments(device)
    path = resolve_name(spec.name)
    if is_folder(path):
        path = str(Path(path).expanduser())
    elif path == POCKET:
        if spec.revision is not None:
            raise ModelUnavailable("The pocket model has no revisions: leave MODEL_REVISION out.")
        path = _pocket(cache_dir, progress)
    with one_sentence(spec):
        options = _hub_options(spec)
        if is_hub_name(path) and not is_folder(path):
            check_reachable(path, options)
        check_layout(path, options, name=spec.name)
        config = AutoConfig.from_pretrained(path, **options)
        if type(config) not in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            raise ModelUnavailable(
                f"The model '{spec.name}' does not answer about pictures "
                f"(its type is '{config.model_type}')."
            )
        processor = load_processor(path, options, config)
        family = completed_family(config, processor, spec)
        weights = _checked_weights(path, options, config, spec, device, progress)
    return described(weights, processor, spec, family)


def _checked_weights(
    path: str,
    options: dict[str, Any],
    config: PreTrainedConfig,
    spec: ModelSpec,
    device: torch.device,
    progress: Progress,
) -> Any:
    """A `PreTrainedModel` in eval mode, all of whose weights are the checkpoint's.

    Raises: ModelUnavailable, before memory is filled where headers tell; what `one_sentence` knows.
    """
    files = weight_files(path, options, name=spec.name, progress=progress)
    settings = quantization_of(config)
    if settings is None:
        without_quantization(config)
        options = {**options, "config": config}
    scheme = scheme_of(settings, name=spec.name)
    tensors = check_tensors(path, files, options, config, scheme, name=spec.name)
    unused = None if tensors is None else unused_tensors(tensors, name=spec.name)
    later = _is_quantized_later(path, options, config, spec, device)
    for line in filter(None, (unused, _ignored(spec, config), _in_place_of_nf4(spec, later))):
        progress.say(line)
    if scheme is not None and tensors is not None:
        without_quantization(config)
        config.quantization_config = settings_for(scheme, tensors.in_few_bits)
        options = {**options, "config": config}
    with reporting_weights(progress, sum(file.stat().st_size for file in files)):
        found: Any = auto_class_of(config).from_pretrained(
            path,
            **options,
            **placement(spec, device, is_quantized=settings is not None, is_quantized_later=later),
            output_loading_info=True,
        )
    weights, info = found
    # The loader's own findings, for files whose headers could not be read.
    refuse_incomplete(Tensors.of(weights, info), name=spec.name)
    return weights.eval()


def completed_family(config: Any, processor: Any, spec: ModelSpec) -> Family:
    """Return a model's family, adapted to its own chat template; completes the processor.

    Raises: ModelUnavailable.
    """
    complete_processor(processor, config, name=spec.name)
    family = family_of(config, chat_template.template_of(processor))
    if family.render is not chat_template.render:
        return family
    max_pictures = spec.max_pictures or family.max_pictures
    dialect = dialect_of(processor, name=spec.name, max_pictures=max_pictures)
    asks = chat_template.asks_for_thoughts(processor, dialect)
    dialect = replace(dialect, asks_for_thoughts=asks)
    if family.always_thinks and family.wrapping is not None:
        at_once = chat_template.straight_to_it(processor, dialect, family.wrapping)
        dialect = replace(dialect, straight_to_it=at_once)
    dialect = replace(dialect, thinks=spec.thinking)
    return replace(
        family,
        render=partial(chat_template.render, dialect=dialect),
        thinking=chat_template.thinking_of(processor, dialect, always=family.always_thinks),
    )


def described(
    weights: Any, processor: Any, spec: ModelSpec, family: Family | None = None
) -> Loaded:
    """Return a loaded model with its `ModelInfo`. Raises: ModelUnavailable."""
    config = weights.config
    family = family or completed_family(config, processor, spec)
    context_tokens = family.context_of(config, spec.context_tokens)
    max_pictures = spec.max_pictures or family.max_pictures
    picture_tokens = family.picture_tokens(
        context_tokens, max_pictures=max_pictures, wanted=spec.picture_tokens
    )
    model = ModelInfo(
        name=spec.name,
        family=family.name,
        context_tokens=context_tokens,
        max_pictures=max_pictures,
        picture_bound=family.bound_picture(processor, picture_tokens),
        tower_px=family.tower_px(processor),
        needs_picture=family.needs_picture,
        sampling=_sampling(family, spec, context_tokens),
        limitations=family.limitations,
        reads_text=family.reads_text,
        languages=family.languages,
        device=str(weights.device),
        weights=held_as(weights),
        weights_bytes=bytes_of(weights),
    )
    return Loaded(weights=weights, processor=processor, family=family, model=model)


def _sampling(family: Family, spec: ModelSpec, context_tokens: int) -> Sampling:
    """A model's defaults: one that thinks has as much room again for its thoughts."""
    if not spec.thinking or family.thinking is Thinking.NONE:
        return family.sampling
    most = max(family.sampling.max_new_tokens, min(THINKING_TOKENS, context_tokens // 4))
    return replace(family.sampling, max_new_tokens=most)


def backend_of(loaded: Loaded, spec: ModelSpec, *, cache_dir: Path) -> Backend:
    """Choose the path of a loaded model and warm it up. Raises: ModelUnavailable."""
    weights = loaded.weights
    why_not = why_not_fast(weights.config, weights.generation_config, spec, weights.device)
    backend: Backend | None = None
    with one_sentence(spec):
        if why_not is None:
            try:
                backend = batching_backend(
                    weights,
                    loaded.processor,
                    loaded.family,
                    loaded.model,
                    spec,
                    kernel_dir=cache_dir / "kernels",
                )
            except UnsupportedWeights as exc:
                why_not = str(exc)
        if backend is None:
            backend = SequentialBackend(
                GenerateModel(
                    weights=weights,
                    processor=loaded.processor,
                    family=loaded.family,
                    model=replace(loaded.model, why_not_fast=why_not),
                )
            )
        warm_up(backend)
    if weights.device.type == "cpu":
        trim_heap()
    GpuMemory(loaded.model.device).note()
    return backend


def _hub_options(spec: ModelSpec) -> dict[str, Any]:
    wanted = {"revision": spec.revision, "token": spec.token}
    return {name: value for name, value in wanted.items() if value is not None}


def _pocket(cache_dir: Path, progress: Progress) -> str:
    from inference.pocket.fetch import PocketUnavailable, ensure_pocket
    from inference.pocket.model import register

    register()
    try:
        return str(ensure_pocket(cache_dir, progress=progress))
    except PocketUnavailable as exc:
        raise ModelUnavailable(str(exc)) from None


def _is_quantized_later(
    path: str,
    options: dict[str, Any],
    config: PreTrainedConfig,
    spec: ModelSpec,
    device: torch.device,
) -> bool:
    """Whether the fast path will quantize the weights: on a CPU, where its products are fast."""
    if device.type != "cpu" or spec.quantize == "none" or quantization_of(config) is not None:
        return False
    try:
        generation_config = GenerationConfig.from_pretrained(path, **options)
    except OSError:  # there is none
        generation_config = GenerationConfig()
    return why_not_fast(config, generation_config, spec, device) is None


def _in_place_of_nf4(spec: ModelSpec, is_quantized_later: bool) -> str | None:
    """Return a line if QUANTIZE asks for fewer bits than the fast path has on a CPU."""
    if spec.quantize != "nf4" or not is_quantized_later:
        return None
    return (
        f"{spec.name}: on a CPU, QUANTIZE=nf4 holds the weights in 8 bits (int8): "
        "torch multiplies those fast there, and 4 bits slowly."
    )


def _ignored(spec: ModelSpec, config: PreTrainedConfig) -> str | None:
    """Return a line if QUANTIZE has no effect because the checkpoint is quantized already."""
    settings = quantization_of(config)
    if settings is None or spec.quantize in {"none", held := method_of(settings)}:
        return None
    return (
        f"{spec.name}: QUANTIZE={spec.quantize} has no effect: "
        f"its weights are in few bits already ({held})."
    )
