"""Where the time of a decode step goes: microseconds per kernel, on a GPU.

Run: `python -m tests.benchmarks.engine_step [--quantize nf4] [--threads 1 8 32]` (LLaVA-1.5-7B in
its real shapes, random weights).
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
from inference.bench.workloads import picture_of
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


def main() -> None:
    """Load, run, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--model", default="llava-hf/llava-1.5-7b-hf")
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
        times: dict[str, list[float]] = defaultdict(list)
        for event in profiled.events():
            times[event.name[:60]].append(event.device_time)
        print(f"-- {threads} threads: {wall_ms:.2f} ms per step")
        for name, values in sorted(times.items(), key=lambda item: -sum(item[1]))[:12]:
            print(
                f"{sum(values) / 10:9.1f} us per step, {len(values) / 10:6.1f} launches of "
                f"{sum(values) / len(values):7.2f} us  {name}"
            )
        for answer in list(backend._requests.values()):
            answer.job.cancelled = True
        while backend.is_busy:
            backend.step(Silent())
        sys.stdout.flush()


if __name__ == "__main__":
    main()
