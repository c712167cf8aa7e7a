"""Build the fast path from a model that transformers has loaded, if it supports the model."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from inference.backends.batching import BatchingBackend
from inference.backends.quantization import bytes_of, quantization_of
from inference.errors import ModelUnavailable, safe_traceback
from inference.execution.cuda_graphs import CudaGraphRecorder
from inference.execution.decoder import Decoder, why_unsupported
from inference.execution.decoder_weights import decoder_of
from inference.execution.kv_cache import KVCache, page_bytes
from inference.execution.linears import UnsupportedWeights
from inference.execution.runner import Runner, SequenceInputs
from inference.execution.sampling import LogitsProcessors, unsupported_processor
from inference.execution.shape import shape_of
from inference.execution.torch_runner import TorchRunner
from inference.execution.towers import MODEL_TYPES, tower_of
from inference.execution.vision import VisionEncoder
from inference.kernels.skinny import Skinny
from inference.models.family import Family
from inference.prompts.builder import PromptBuilder
from inference.prompts.pixel_store import PixelStore
from inference.prompts.preprocessing import ImagePreprocessor
from inference.prompts.rendering import stop_ids_of
from inference.scheduling.lookup import Proposer
from inference.scheduling.pages import PAGE_TOKENS, PagePool, pages_for
from inference.scheduling.prefix_tree import PrefixTree
from inference.scheduling.scheduler import Scheduler
from inference.types import ModelInfo, ModelSpec

log = logging.getLogger(__name__)

HEADS = frozenset({64, 128, 256})
"""Sizes of heads that the kernels support."""
MAX_RUNNING = {"cuda": 64, "cpu": 16}
MAX_RUNNING_16_BITS = 128
"""On a GPU. Of few-bit weights no product takes more than 64 rows at once."""
CPU_PREFILL_BUDGET = 64
IDLE_PREFILL_BUDGET = {"cuda": 2048, "cpu": 512}

SMALL_SEQUENCE_TOKENS = 256

EMBEDDING_CACHE_BYTES = 256 * 1024 * 1024
EMBEDDING_CACHE_SHARE = 1 / 32
"""Of the KV cache's bytes: upper bound of the cached image embeddings."""
CPU_CACHE_TOKENS = 8192
# Free memory after loading that the KV cache leaves: for activations of a prefill, for graphs.
RESERVED_BYTES = 1536 * 1024 * 1024
MAX_CACHE_TOKENS = 1 << 20


def why_not_fast(
    config: Any, generation_config: Any, spec: ModelSpec, device: torch.device
) -> str | None:
    """Return why a model takes the plain path; None if it takes the fast one."""
    if spec.engine != "auto":
        return "ENGINE says so"
    if config.model_type not in MODEL_TYPES:
        return f"its architecture is {config.model_type}"
    processor = unsupported_processor(generation_config)
    if processor is not None:
        return f"its generation config sets {processor}"
    if device.type != "cpu":
        why_not = _why_not_on_gpu(config, spec, device)
        if why_not is not None:
            return why_not
    return why_unsupported(config)


def _why_not_on_gpu(config: Any, spec: ModelSpec, device: torch.device) -> str | None:
    if device.type != "cuda" or torch.version.cuda is None:
        return f"the device is {device.type}"
    if spec.dtype not in {"auto", "bfloat16"}:
        return f"the weights are {spec.dtype}"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return "the GPU is older than Ampere"
    text = config.get_text_config(decoder=True)
    shape = shape_of(config)
    if shape.head not in HEADS:
        return f"its heads are of {shape.head}"
    if shape.heads > 16 * shape.kv_heads:
        return "more than 16 of its heads share keys"
    if text.hidden_size % 64 or text.intermediate_size % 64:
        return "its sizes are no multiples of 64"
    return None


def batching_backend(
    weights: Any,
    processor: Any,
    family: Family,
    model: ModelInfo,
    spec: ModelSpec,
    *,
    kernel_dir: Path,
) -> BatchingBackend:
    """Build the fast path from a loaded model, taking over its projections.

    Args:
        weights: a model for which `why_not_fast` is None, in eval mode.
        processor: the checkpoint's, completed.
        family: the model's.
        model: the loaded model.
        spec: the requested model.
        kernel_dir: cache for compiled kernels.

    Raises:
        UnsupportedWeights: the plain path may still run the model, which is unchanged.
        ModelUnavailable: its message is one sentence for the operator.
    """
    device = weights.device
    on_gpu = device.type == "cuda"
    skinny = _skinny(weights.config, device, kernel_dir) if on_gpu else None
    int8 = not on_gpu and spec.quantize != "none" and quantization_of(weights.config) is None
    # First what may raise: after `decoder_of` the plain path can no longer run the model.
    decoder = decoder_of(weights, positions=model.context_tokens, skinny=skinny, int8=int8)
    preprocessor = ImagePreprocessor(processor, family, device)
    pixels = PixelStore(preprocessor)
    prompts = PromptBuilder(processor, family, pixels, max_pictures=model.max_pictures)
    vision = VisionEncoder(tower_of(weights, preprocessor), pixels)
    recorder = None
    if on_gpu:
        torch.cuda.empty_cache()
        recorder = CudaGraphRecorder(device)
        vision.capture(recorder)
    dtype = _cache_dtype(spec, decoder)
    bytes_per_page = page_bytes(decoder.shape, dtype)
    num_pages = 1 + _cache_pages(bytes_per_page, model, spec, device)
    vision.max_bytes = min(
        EMBEDDING_CACHE_BYTES, int(EMBEDDING_CACHE_SHARE * num_pages * bytes_per_page)
    )
    cache = KVCache(decoder.shape, num_pages, dtype=dtype, device=device)
    # Graphs for more sequences than the cache can hold would only cost memory.
    room = (num_pages - 1) * PAGE_TOKENS // SMALL_SEQUENCE_TOKENS
    most = MAX_RUNNING_16_BITS if on_gpu and decoder.bits == 16 else MAX_RUNNING[device.type]
    max_running = max(1, min(most, room))
    processors = LogitsProcessors(weights.generation_config, device)
    runner: Runner
    prefill_budget = CPU_PREFILL_BUDGET
    if recorder is not None:
        from inference.execution.cuda_runner import CudaRunner

        runner = CudaRunner(
            decoder,
            vision,
            cache,
            processors,
            context_tokens=model.context_tokens,
            max_running=max_running,
            recorder=recorder,
            kernel_dir=kernel_dir,
        )
        prefill_budget = runner.prefill_budget
    else:
        runner = TorchRunner(decoder, vision, cache, processors)
    proposer = None
    if spec.speculation == "auto" and runner.row_costs is not None:
        proposer = Proposer(runner.row_costs)
    pool = PagePool(num_pages)
    return BatchingBackend(
        model=replace(
            model,
            engine="fast",
            weights="int8" if int8 else model.weights,
            weights_bytes=decoder.projections_bytes + bytes_of(weights),
            step_bytes=decoder.step_bytes,
            cache_tokens=pool.num_usable * PAGE_TOKENS,
            cache_dtype=str(dtype).removeprefix("torch."),
        ),
        family=family,
        prompts=prompts,
        tokenizer=processor.tokenizer,
        stop_ids=stop_ids_of(weights, processor),
        scheduler=Scheduler[SequenceInputs](
            pool, PrefixTree(pool, model.name), max_running=max_running, proposer=proposer
        ),
        vision=vision,
        runner=runner,
        max_running=max_running,
        prefill_budget=prefill_budget,
        idle_prefill_budget=IDLE_PREFILL_BUDGET[device.type],
    )


def _skinny(config: Any, device: torch.device, kernel_dir: Path) -> Skinny:
    """Return the kernel for products with few rows, after compiling one kernel of each kind.

    Raises: UnsupportedWeights.
    """
    torch.cuda.set_device(device)
    shape = shape_of(config)
    try:
        from inference.kernels import decode_int8, fused

        skinny = Skinny(kernel_dir)
        skinny.check()
        if shape.head in decode_int8.HEADS:
            decode_int8.DecodeInt8(
                kernel_dir, head=shape.head, heads=shape.heads, kv_heads=shape.kv_heads
            )
        fused.gate_mul(torch.zeros(1, 128, dtype=torch.bfloat16, device=device))
    # Triton, NVRTC and the C compiler that Triton calls each raise their own errors.
    except Exception as exc:  # noqa: BLE001 - the plain path needs no kernels
        log.warning("no kernel can be compiled: %s", safe_traceback(exc))
        what = next(iter(str(exc).splitlines()), "")  # no user text can be in it yet
        why = f"no kernel can be compiled ({type(exc).__name__}: {what})"
        raise UnsupportedWeights(why) from None
    return skinny


def _cache_dtype(spec: ModelSpec, decoder: Decoder) -> torch.dtype:
    # With biases, as in Qwen2, some dimensions of a key are a hundred times the others, and norms
    # of keys, as in Qwen3, have weights of their own for each dimension: one scale in 8 bits would
    # leave little of the small ones.
    layer = decoder.layers[0]
    suits = decoder.bits < 16 and layer.qkv_bias is None and layer.k_norm is None
    if suits and decoder.dtype == torch.float32 and spec.quantize_cache == "auto":
        # A CPU, which alone computes in float32, would take longer to dequantize 8 bits than to
        # read 16.
        return torch.bfloat16
    in_8_bits = {"none": False, "int8": True, "auto": suits}[spec.quantize_cache]
    return torch.int8 if in_8_bits else decoder.dtype


def _cache_pages(
    bytes_per_page: int, model: ModelInfo, spec: ModelSpec, device: torch.device
) -> int:
    """Return the cache's number of pages: as requested, or what fits the device.

    Raises: ModelUnavailable if a sequence as long as the context does not fit.
    """
    needed = pages_for(model.context_tokens)
    if spec.cache_tokens is not None:
        pages = pages_for(spec.cache_tokens)
    elif device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        room = int((free - RESERVED_BYTES) * spec.cache_share)
        pages = min(max(0, room) // bytes_per_page, pages_for(MAX_CACHE_TOKENS))
    else:
        pages = max(pages_for(CPU_CACHE_TOKENS), 2 * needed)
    if pages < needed:
        raise ModelUnavailable(
            f"The cache holds {pages * PAGE_TOKENS} tokens, one sequence may need "
            f"{model.context_tokens}: set CONTEXT_TOKENS lower, CACHE_TOKENS higher, "
            "or take a smaller model or --load-4bit."
        )
    return pages
