"""Where the time of a decode step goes: microseconds per kernel, on a GPU.

Run: `python -m tests.benchmarks.engine_step [--model NAME] [--quantize nf4] [--threads 1 8 32]`
(by default LLaVA-1.5-7B; real shapes, random weights). `--prompts` shows a new picture's prefill,
too: what the host does before, the tower, and the rest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from inference.backends.load import backend_of, described
from inference.bench.random_models import random_model
from inference.bench.workloads import picture_of, picture_px
from inference.serving.backend import Job
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling


class Silent:
    """A `StepOutput` that discards everything."""

    def emit(self, job: Job, event: object) -> None: ...

    def flush(self) -> None: ...

    def admit_new(self) -> None: ...


def start_decoding(backend: Any, threads: int) -> None:
    """Add requests and step until all of them decode."""
    for i in range(threads):
        question = Message(role=Role.USER, text="a " * 20, pictures=(picture_of(i),))
        sampling = Sampling(temperature=1.0, max_new_tokens=200, seed=i)
        job = Job(GenerationRequest(messages=(question,), sampling=sampling))
        begun = time.perf_counter()
        add = backend.prepare(job.request)
        if i == 0:
            print(f"preparing a prompt: {(time.perf_counter() - begun) * 1e3:.1f} ms")
        add(job)
    while not all(sequence.is_prefilled for sequence in backend._scheduler.running) or (
        backend._scheduler.waiting()
    ):
        backend.step(Silent())


def show_prompts(backend: Any, rounds: int = 4) -> None:
    """Print where the time of a new picture's prompt goes, the first time and when warm."""
    vision = backend._runner._vision
    encode = vision.encode
    tower_ms: list[float] = []

    def timed(*arguments: Any) -> Any:
        torch.cuda.synchronize()
        begun = time.perf_counter()
        found = encode(*arguments)
        torch.cuda.synchronize()
        tower_ms.append((time.perf_counter() - begun) * 1e3)
        return found

    vision.encode = timed
    for i in range(rounds):
        picture = picture_of(1000 + i, picture_px(backend.model))
        question = Message(role=Role.USER, text="a " * 20, pictures=(picture,))
        job = Job(GenerationRequest(messages=(question,), sampling=Sampling(max_new_tokens=4)))
        begun = time.perf_counter()
        add = backend.prepare(job.request)
        prepared_ms = (time.perf_counter() - begun) * 1e3
        add(job)
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            torch.cuda.synchronize()
            begun = time.perf_counter()
            backend.step(Silent())
            torch.cuda.synchronize()
            whole_ms = (time.perf_counter() - begun) * 1e3
        print(
            f"prompt {i}: prepared in {prepared_ms:.1f} ms; step {whole_ms:.1f} ms, "
            f"of which the tower {sum(tower_ms):.1f} ms"
        )
        tower_ms.clear()
        if i == rounds - 1:
            show_kernels(profiled, 1, 24)
        while backend.is_busy:
            backend.step(Silent())
    vision.encode = encode


def show_kernels(profiled: Any, steps: int, most: int = 12) -> None:
    """Print the kernels that take longest."""
    times: dict[str, list[float]] = defaultdict(list)
    for event in profiled.events():
        times[event.name[:60]].append(event.device_time)
    for name, values in sorted(times.items(), key=lambda item: -sum(item[1]))[:most]:
        print(
            f"{sum(values) / steps:9.1f} us per step, {len(values) / steps:6.1f} launches of "
            f"{sum(values) / len(values):7.2f} us  {name}"
        )


def main() -> None:
    """Load, run, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--model", default="llava-hf/llava-1.5-7b-hf")
    parser.add_argument("--prompts", action="store_true", help="a new picture's prefill, too")
    parser.add_argument("--cache", type=Path, help="folder for compiled kernels")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 8, 32])
    arguments = parser.parse_args()
    spec = ModelSpec(name=arguments.model, quantize=arguments.quantize, cache_tokens=60_000)
    weights, processor = random_model(spec, torch.device("cuda"))
    backend: Any = backend_of(
        described(weights, processor, spec),
        spec,
        cache_dir=arguments.cache or Path(tempfile.mkdtemp()),
    )
    if arguments.prompts:
        show_prompts(backend)
    for threads in arguments.threads:
        start_decoding(backend, threads)
        for _ in range(10):
            backend.step(Silent())
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(20):
            backend.step(Silent())
        torch.cuda.synchronize()
        wall_ms = (time.perf_counter() - begun) / 20 * 1e3
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            for _ in range(10):
                backend.step(Silent())
            torch.cuda.synchronize()
        print(f"-- {threads} threads: {wall_ms:.2f} ms per step")
        show_kernels(profiled, 10)
        for answer in list(backend._requests.values()):
            answer.job.cancelled = True
        while backend.is_busy:
            backend.step(Silent())
        sys.stdout.flush()


if __name__ == "__main__":
    main()
