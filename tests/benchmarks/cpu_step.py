"""What a decode step of the pocket takes on a CPU, and both layouts of its products in 8 bits.

Run: `python -m tests.benchmarks.cpu_step [--rows 1 16] [--quantize int8|none] [--cores N]`. It
measures processor time, of which other work on the machine takes nothing away, though it slows
memory and caches: the least and the median of all steps.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor

from inference.backends.batching import BatchingBackend
from inference.backends.load import load_model
from inference.bench.workloads import picture_of
from inference.execution import int8
from inference.pocket.__main__ import default_cache
from inference.progress import StreamProgress
from inference.types import GenerationRequest, Message, ModelSpec, Quantization, Role, Sampling
from tests.stepper import Stepper

LAYERS = 30
SIZES = [(960, 576), (576, 576), (3072, 576), (576, 1536)]
"""Of SmolLM2-135M's products, which the pocket has."""
WORDS = "a " * 55


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--quantize", default="int8", choices=["int8", "none"])
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.cores)
    _products(arguments.rows, arguments.steps // 4)
    backend = _pocket(arguments.quantize)
    resident = psutil.Process().memory_info().rss
    print(f"{arguments.quantize}: resident {resident / 1e9:.2f} GB after loading")
    for rows in arguments.rows:
        print(f"a step of {rows} rows: {_step(backend, rows, arguments.steps)}", flush=True)
    print(f"resident {psutil.Process().memory_info().rss / 1e9:.2f} GB")


def _pocket(quantize: Quantization) -> BatchingBackend:
    spec = ModelSpec(name="pocket", quantize=quantize, device="cpu", speculation="off")
    progress = StreamProgress(io.StringIO())
    backend = load_model(spec, cache_dir=Path(default_cache()), progress=progress)
    assert isinstance(backend, BatchingBackend)
    return backend


def _step(backend: BatchingBackend, rows: int, steps: int) -> str:
    stepper = Stepper(backend)
    for seed in range(rows):
        message = Message(role=Role.USER, text=WORDS, pictures=(picture_of(seed),))
        sampling = Sampling(temperature=1.0, max_new_tokens=steps + 60, seed=seed, ignore_eos=True)
        stepper.ask(GenerationRequest(messages=(message,), sampling=sampling))
    while not all(one.is_prefilled for one in backend._requests):
        stepper.step()
    found = _measured(stepper.step, steps)
    stepper.run()
    return found


@torch.inference_mode()
def _products(rows: list[int], times: int) -> None:
    """Print what all layers' products take in either layout."""
    packed_from = int8.PACKED_FROM
    for name, least in (("oneDNN's layout", 0), ("as it is", 1 << 40)):
        int8.PACKED_FROM = least
        layers = [[int8.Int8Linear(torch.randn(size)) for size in SIZES] for _ in range(LAYERS)]
        for count in rows:
            inputs = [torch.randn(count, size[1]) for size in SIZES]
            taken = _measured(partial(_multiply, layers, inputs), times)
            print(f"products, {name}, {count} rows: {taken}", flush=True)
    int8.PACKED_FROM = packed_from


def _multiply(layers: list[list[int8.Int8Linear]], inputs: list[Tensor]) -> None:
    for layer in layers:
        for linear, x in zip(layer, inputs, strict=True):
            linear(x)


def _measured(run: Callable[[], object], times: int) -> str:
    run()
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(1000 * (time.process_time() - start))
    return f"{min(taken):.1f} ms at least, median {statistics.median(taken):.1f}"


if __name__ == "__main__":
    main()
