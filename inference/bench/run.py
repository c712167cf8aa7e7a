"""Run all measurements."""

from __future__ import annotations

import asyncio
import gc
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import psutil
import torch
import transformers
from tqdm import tqdm

from inference.backends.batching import BatchingBackend
from inference.backends.load import (
    Loaded,
    backend_of,
    described,
    load_weights,
)
from inference.bench.baselines import (
    floor_tokens_per_second,
    measure_generate,
    read_bandwidth,
)
from inference.bench.forecast import (
    Plan,
    bandwidth_of,
    check_fits,
    flops_of,
    in_words,
    memory_bytes,
    parameters_of,
    seconds,
)
from inference.bench.random_models import random_model
from inference.bench.report import Report
from inference.bench.workloads import (
    Client,
    measure_first_tokens,
    measure_gaps,
    measure_quoting,
    measure_throughput,
    picture_of,
    picture_px,
    quantile,
    watching_the_loop,
)
from inference.device import device_of, use_expandable_segments
from inference.errors import EngineDead, GenerationFailed, ModelUnavailable
from inference.progress import StreamProgress
from inference.scheduling.lookup import Decoded
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import Worker, running_worker
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling

TEXT_TOKENS = 60
FOLLOW_UP_TOKENS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure."""

    spec: ModelSpec
    random_weights: bool = False
    threads: tuple[int, ...] = ()
    """Numbers of concurrent threads; empty chooses by device."""
    same_picture: bool = False
    """All threads are about one picture; otherwise each has its own."""
    new_tokens: int = 128
    static: bool = True
    """On a GPU, also measure `generate` with a static cache; compiling takes a minute."""
    generate: bool = True
    anyway: bool = False
    """Measure even what the machine seems too small for."""


def run(options: Options, *, cache_dir: Path, progress: TextIO) -> Report:
    """Measure.

    Args:
        options: what to measure.
        cache_dir: for the pocket model and compiled kernels.
        progress: stream for the progress bar.

    Raises:
        ModelUnavailable: its message is one sentence for the operator.
    """
    spec = options.spec
    on_gpu = device_of(spec.device).type == "cuda"
    threads = options.threads or ((1, 8, 32) if on_gpu else (1, 16))
    options = replace(options, threads=threads, static=options.static and on_gpu)
    forecast = _forecast(options, progress)
    with tqdm(
        total=round(sum(forecast.values())),
        file=progress,
        leave=False,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left",
    ) as bar:
        doing: list[str] = []

        def now(what: str) -> None:
            if doing:  # the previous measurement is done
                bar.update(forecast.get(doing[-1], 0))
            doing.append(what)
            bar.set_description(what)

        now("loading")
        begun = time.perf_counter()
        loaded = _load(options, cache_dir, progress)
        device = loaded.weights.device
        report = Report(
            model=spec.name + (" (random weights)" if options.random_weights else ""),
            weights=loaded.model.weights,
            hardware=_hardware(device),
            software=f"torch {torch.__version__}, transformers {transformers.__version__}",
            path="",
            new_tokens=options.new_tokens,
            load_s=time.perf_counter() - begun,
        )
        now("reading memory")
        report.read_bandwidth_tb_s = read_bandwidth(device) / 1e12
        if options.generate:
            _measure_generate(report, loaded, options, now)
        now("starting the engine")
        begun = time.perf_counter()
        backend = backend_of(loaded, spec, cache_dir=cache_dir)
        del loaded
        gc.collect()
        gc.freeze()  # as the bot does: a full collection would block the event loop
        if device.type == "cuda":
            torch.cuda.empty_cache()
        report.engine_start_s = time.perf_counter() - begun
        report.path = backend.model.engine
        report.weight_gb = (backend.model.step_bytes or 0) / 1e9
        report.cache_tokens = backend.model.cache_tokens

        def on_this_device() -> Any:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            return backend

        with DeviceThread(on_this_device) as thread:
            try:
                asyncio.run(_measure_engine(report, thread, options, now))
            except (GenerationFailed, EngineDead) as exc:
                raise ModelUnavailable(f"The measurement has failed ({exc}).") from None
        gc.unfreeze()
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            report.device_memory_gib = (total - free) / 2**30
            report.weights_memory_gib = torch.cuda.memory_allocated(device) / 2**30
        else:
            report.device_memory_gib = psutil.Process().memory_info().rss / 2**30
        _compare(report, backend)
    return report


def _forecast(options: Options, progress: TextIO) -> dict[str, float]:
    """Say what comes. Returns: how long each measurement will take, in some unit.

    Raises:
        ModelUnavailable: the machine is too small for the model.
    """
    device = device_of(options.spec.device)
    parameters = parameters_of(options.spec)
    if parameters is not None and not options.anyway:
        check_fits(options.spec, parameters, device)
    took = seconds(
        Plan(
            threads=options.threads,
            new_tokens=options.new_tokens,
            generate=options.generate,
            static=options.static,
        ),
        parameters or 1.0,
        1.0 if parameters is None else memory_bytes(parameters, options.spec, device),
        bandwidth=bandwidth_of(device),
        flops=flops_of(device),
    )
    duration = "for an unknown time" if parameters is None else in_words(sum(took.values()))
    count = len(took)
    progress.write(
        f"{options.spec.name} on {device}: {count} measurements, {duration}; Ctrl-C ends them.\n"
    )
    return took


def _compare(report: Report, backend: Any) -> None:
    """Add the floor and the speed-up over `generate()` to each throughput."""
    size = backend.model.step_bytes
    for measured in report.throughput:
        floor = None
        if size is not None and isinstance(backend, BatchingBackend):
            context = report.prompt_tokens + measured.new_tokens // 2
            own = TEXT_TOKENS + measured.new_tokens // 2 if measured.same_picture else context
            floor = floor_tokens_per_second(
                size,
                backend.token_bytes,
                threads=measured.threads,
                context_tokens=context,
                own_tokens=own,
                bandwidth=report.read_bandwidth_tb_s * 1e12,
            )
        report.floor.append(floor)
        speedup = None
        if report.generate is not None:
            speedup = measured.whole_tokens_per_second / report.generate.tokens_per_second
        report.speedup_over_generate.append(speedup)


def _load(options: Options, cache_dir: Path, progress: TextIO) -> Loaded:
    if not options.random_weights:
        return load_weights(options.spec, cache_dir=cache_dir, progress=StreamProgress(progress))
    transformers.logging.set_verbosity_error()
    device = device_of(options.spec.device)
    use_expandable_segments(device)
    try:
        weights, processor = random_model(options.spec, device)
    except torch.OutOfMemoryError:
        raise ModelUnavailable(
            f"The model '{options.spec.name}' does not fit the device's memory: "
            "try --quantize nf4, or a smaller model."
        ) from None
    return described(weights, processor, options.spec)


def _measure_generate(report: Report, loaded: Loaded, options: Options, now: Any) -> None:
    weights = loaded.weights
    picture = picture_of(0, picture_px(loaded.model))
    image = loaded.family.picture_for(picture, loaded.processor)
    words = "?"
    while True:  # the picture and TEXT_TOKENS of text, like the engine's prompts
        question = Message(role=Role.USER, text=words, pictures=(picture,))
        prompt = loaded.family.render(loaded.processor, (question,))
        if len(loaded.processor.tokenizer(prompt)["input_ids"]) > TEXT_TOKENS:
            break
        words += " a"
    inputs = loaded.processor(text=prompt, images=[image], return_tensors="pt")
    inputs = {
        name: value.to(weights.device, weights.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }
    calls = 2 if weights.device.type == "cuda" else max(options.threads)
    now("generate()")
    report.generate = measure_generate(
        weights, inputs, options.new_tokens, static=False, calls=calls
    )
    if options.static:
        now("generate(), static and compiled")
        report.generate_static = measure_generate(
            weights, inputs, options.new_tokens, static=True, calls=2
        )


async def _measure_engine(report: Report, thread: DeviceThread, options: Options, now: Any) -> None:
    async with running_worker(thread, max_waiting=256) as worker, watching_the_loop() as lags:
        client = Client(
            worker,
            text_tokens=TEXT_TOKENS,
            new_tokens=options.new_tokens,
            # Greedy answers of random weights, or to nonsense, repeat themselves.
            temperature=1.0,
        )
        await client.prepare(3)
        report.prompt_tokens = await worker.prompt_tokens(client.question(client.new_picture()))
        await client.ask(client.question(client.new_picture()), tokens=8)
        now("first tokens")
        backend = thread.backend
        before = backend.vision.encoded if isinstance(backend, BatchingBackend) else 0
        rounds = 5
        report.first_tokens = await measure_first_tokens(client, rounds, FOLLOW_UP_TOKENS)
        if isinstance(backend, BatchingBackend):
            report.pictures_encoded_again = backend.vision.encoded - before - rounds
            report.picture_ms = await _picture_ms(worker, client)
        for threads in options.threads:
            now(f"{threads} threads")
            decoded = _decoded(backend)
            report.throughput.append(
                await measure_throughput(client, threads, same_picture=options.same_picture)
            )
            report.tokens_per_step.append(_per_step(decoded, _decoded(backend)))
        if isinstance(backend, BatchingBackend):
            report.quoting = await measure_quoting(client, backend.decoded)
        decoding = min(16, max(options.threads))
        now("gaps")
        every_s = 0.1 if report.hardware.startswith("NVIDIA") else 0.5
        report.gaps = await measure_gaps(client, decoding, 12, every_s)
        report.loop_lag_p99_ms = quantile(lags, 0.99)
        report.loop_lag_worst_ms = max(lags)


def _decoded(backend: object) -> Decoded | None:
    """Return what decode steps have brought so far; None: they are not counted."""
    return replace(backend.decoded) if isinstance(backend, BatchingBackend) else None


def _per_step(before: Decoded | None, after: Decoded | None) -> float | None:
    """Return how many tokens a step has brought a thread meanwhile."""
    if before is None or after is None:
        return None
    return (after.tokens - before.tokens) / max(1, after.steps - before.steps)


async def _picture_ms(worker: Worker, client: Client) -> float:
    """Return the median time of vision tower and projector, pixels already prepared."""
    await client.stock(6)
    questions = [client.question(client.new_picture()) for _ in range(6)]
    times: list[float] = []

    def encode(backend: Any) -> None:
        for messages in questions:
            prompt = backend.prompt_of(GenerationRequest(messages=messages, sampling=Sampling()))
            begun = time.perf_counter()
            backend.vision.encode(prompt, prompt.pictures[0])
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append((time.perf_counter() - begun) * 1e3)

    await worker.on_device(encode)
    return quantile(times, 0.5)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} cores"
