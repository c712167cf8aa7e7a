"""Measure everything in one run, and say it as a table, as JSON, as a chart."""

from __future__ import annotations

import asyncio
import gc
import json
import platform
import time
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import torch
import transformers
from tqdm import tqdm

from inference.batching import BatchingBackend
from inference.bench.baselines import (
    Generated,
    floor_tokens_per_second,
    measure_generate,
    read_bandwidth,
    weight_bytes,
)
from inference.bench.random_models import random_model
from inference.bench.workloads import (
    Asker,
    FirstTokens,
    Gaps,
    Throughput,
    measure_first_tokens,
    measure_gaps,
    measure_throughput,
    picture_of,
    quantile,
    watching_the_loop,
)
from inference.device import device_of, keep_memory_whole
from inference.errors import EngineDead, GenerationFailed, ModelUnavailable
from inference.load import (
    Loaded,
    backend_of,
    described,
    load_weights,
)
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling
from inference.worker import DeviceThread, Worker, running_worker

TEXT_TOKENS = 60
FOLLOW_UP_TOKENS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured."""

    spec: ModelSpec
    random_weights: bool = False
    threads: tuple[int, ...] = ()
    """At once; empty takes what suits the device."""
    same_picture: bool = False
    """Threads are all about one picture; otherwise each has its own."""
    new_tokens: int = 128
    static: bool = True
    """On a GPU, measure `generate` with a static cache too; compiling it takes a minute."""
    generate: bool = True


@dataclass(slots=True, kw_only=True)
class Report:
    """What was measured; None: it was not, or does not apply."""

    model: str
    weights: str
    hardware: str
    software: str
    path: str
    prompt_tokens: int = 0
    new_tokens: int = 0
    read_bandwidth_tb_s: float = 0.0
    weight_gb: float = 0.0
    generate: Generated | None = None
    generate_static: Generated | None = None
    throughput: list[Throughput] = field(default_factory=list)
    floor: list[float | None] = field(default_factory=list)
    """Tokens a second, for each of `throughput`."""
    speedup_over_generate: list[float | None] = field(default_factory=list)
    first_tokens: FirstTokens | None = None
    picture_ms: float | None = None
    """The vision tower and the projector, for one picture."""
    pictures_encoded_again: int | None = None
    gaps: Gaps | None = None
    loop_lag_p99_ms: float = 0.0
    loop_lag_worst_ms: float = 0.0
    device_memory_gib: float | None = None
    """Used on the device by everything, CUDA's own included."""
    weights_memory_gib: float | None = None
    cache_tokens: int | None = None
    load_s: float = 0.0
    engine_start_s: float = 0.0
    """From loaded weights to the first answer: kernels, graphs, cache."""

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self), indent=2)


def run(options: Options, *, cache_dir: Path, progress: TextIO) -> Report:
    """Measure.

    Args:
        options: what.
        cache_dir: where the pocket model and compiled kernels are kept.
        progress: where the progress bar goes.

    Raises:
        ModelUnavailable: its message is one sentence for the operator.
    """
    spec = options.spec
    on_gpu = device_of(spec.device).type == "cuda"
    threads = options.threads or ((1, 8, 32) if on_gpu else (1, 16))
    options = replace(options, threads=threads, static=options.static and on_gpu)
    steps = 5 + options.generate * (1 + options.static) + len(threads)
    with tqdm(total=steps, file=progress, unit="measurement", leave=False) as bar:

        def now(what: str) -> None:
            if bar.desc:  # what came before is done
                bar.update()
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
        is_llava = hasattr(getattr(loaded.weights, "model", None), "language_model")
        size = weight_bytes(loaded.weights) if is_llava else None
        report.weight_gb = (size or 0) / 1e9
        begun = time.perf_counter()
        backend = backend_of(loaded, spec, cache_dir=cache_dir)
        del loaded
        gc.collect()
        gc.freeze()  # as the bot does: a full collection would hold the loop up
        if device.type == "cuda":
            torch.cuda.empty_cache()
        report.engine_start_s = time.perf_counter() - begun
        report.path = backend.model.engine
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
        _compare(report, backend, size, options)
    return report


def _compare(report: Report, backend: Any, size: int | None, options: Options) -> None:
    """Put the floor and `generate()` beside what was measured."""
    for measured in report.throughput:
        floor = None
        if size is not None and isinstance(backend, BatchingBackend):
            context = report.prompt_tokens + options.new_tokens // 2
            own = TEXT_TOKENS + options.new_tokens // 2 if measured.same_picture else context
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
        return load_weights(options.spec, cache_dir=cache_dir, progress=progress)
    transformers.logging.set_verbosity_error()
    device = device_of(options.spec.device)
    keep_memory_whole(device)
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
    picture = picture_of(0)
    image = loaded.family.picture_for(picture, loaded.processor)
    words = "?"
    while True:  # the picture and TEXT_TOKENS of text, as the engine is asked
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
        asker = Asker(
            worker,
            text_tokens=TEXT_TOKENS,
            new_tokens=options.new_tokens,
            # The likeliest words of random weights, or to words without sense, go in circles.
            temperature=1.0,
        )
        await asker.prepare(100 + 2 * sum(options.threads))
        report.prompt_tokens = await worker.prompt_tokens(asker.question(asker.new_picture()))
        await asker.ask(asker.question(asker.new_picture()), tokens=8)
        now("first tokens")
        backend = thread.backend
        if isinstance(backend, BatchingBackend):
            backend.stop_ids = frozenset()  # everybody says as much as was asked for
        before = backend.features.encoded if isinstance(backend, BatchingBackend) else 0
        rounds = 5
        report.first_tokens = await measure_first_tokens(asker, rounds, FOLLOW_UP_TOKENS)
        if isinstance(backend, BatchingBackend):
            report.pictures_encoded_again = backend.features.encoded - before - rounds
            report.picture_ms = await _picture_ms(worker, asker)
        for threads in options.threads:
            now(f"{threads} threads")
            await measure_throughput(asker, threads, same_picture=options.same_picture)  # warm
            report.throughput.append(
                await measure_throughput(asker, threads, same_picture=options.same_picture)
            )
        talking = min(16, max(options.threads))
        now("gaps")
        every_s = 0.1 if report.hardware.startswith("NVIDIA") else 0.5
        report.gaps = await measure_gaps(asker, talking, 12, every_s)
        report.loop_lag_p99_ms = quantile(lags, 0.99)
        report.loop_lag_worst_ms = max(lags)


async def _picture_ms(worker: Worker, asker: Asker) -> float:
    """Median time of the tower and the projector, pixels being ready."""
    questions = [asker.question(asker.new_picture()) for _ in range(6)]
    times: list[float] = []

    def look(backend: Any) -> None:
        for messages in questions:
            prompt = backend.prepare(GenerationRequest(messages=messages, sampling=Sampling()))
            begun = time.perf_counter()
            backend.features.of(prompt, prompt.pictures[0])
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append((time.perf_counter() - begun) * 1e3)

    await worker.on_device(look)
    return quantile(times, 0.5)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} cores"


def table(report: Report) -> str:
    """The report as text."""
    lines = [
        f"{report.model}, {report.weights}, on {report.hardware}; {report.software}",
        f"path: {report.path}; a step reads {report.weight_gb:.2f} GB of weights",
        f"memory is read at {report.read_bandwidth_tb_s:.2f} TB/s",
        f"loaded in {report.load_s:.1f} s, the engine started in {report.engine_start_s:.1f} s",
        "",
    ]
    for name, one in (
        ("generate()", report.generate),
        ("generate(), static", report.generate_static),
    ):
        if one is not None:
            lines.append(
                f"{name:24} first token {one.first_token_ms:7.1f} ms   "
                f"{one.step_ms:7.2f} ms a step   {one.tokens_per_second:8.1f} tokens/s"
            )
    for measured, floor, speedup in zip(
        report.throughput, report.floor, report.speedup_over_generate, strict=True
    ):
        kind = ", one picture" if measured.same_picture else ""
        who = "1 thread" if measured.threads == 1 else f"{measured.threads} threads"
        line = (
            f"{who + kind:24} {measured.step_ms:7.2f} ms a step   "
            f"{measured.tokens_per_second:8.1f} tokens/s   "
            f"(with reading {measured.whole_tokens_per_second:.1f})"
        )
        if speedup is not None:
            line += f"   {speedup:5.1f} × generate()"
        if floor is not None:
            line += f"   floor {floor:.0f} ({100 * measured.tokens_per_second / floor:.0f}%)"
        lines.append(line)
    if report.first_tokens is not None:
        first = report.first_tokens
        lines += [
            "",
            _first_token("new picture", first.new_picture_ms, first.new_picture_device_ms)
            + ("" if report.picture_ms is None else f", the picture {report.picture_ms:.1f} ms"),
            _first_token("follow-up", first.follow_up_ms, first.follow_up_device_ms)
            + f"; {100 * first.prefix_hit:.0f}% of the thread was kept",
        ]
        if report.pictures_encoded_again is not None:
            lines.append(f"pictures looked at again: {report.pictures_encoded_again}")
    if report.gaps is not None:
        gaps = report.gaps
        lines.append(
            f"gap between tokens, {gaps.threads} threads, while {gaps.pictures} pictures arrive: "
            f"p50 {gaps.p50_ms:.1f} ms, p99 {gaps.p99_ms:.1f} ms, worst {gaps.worst_ms:.1f} ms"
        )
    lines.append(
        f"event loop lag: p99 {report.loop_lag_p99_ms:.1f} ms, "
        f"worst {report.loop_lag_worst_ms:.1f} ms"
    )
    if report.device_memory_gib is not None:
        lines.append(
            f"memory used on the device: {report.device_memory_gib:.2f} GiB, with a cache of "
            f"{report.cache_tokens} tokens"
        )
    return "\n".join(lines)


def _first_token(of: str, ms: float, device_ms: float) -> str:
    return f"first token, {of:12} {ms:7.1f} ms, of it on the device {device_ms:.1f} ms"


def check_plot(file: Path) -> None:
    """Look whether `plot` will be able to draw. Raises: ModelUnavailable."""
    if find_spec("matplotlib") is None:
        raise ModelUnavailable("--plot needs matplotlib: pip install matplotlib.")
    if not file.absolute().parent.is_dir():
        raise ModelUnavailable(f"There is no folder for --plot {file}.")


def plot(report: Report, file: Path) -> None:
    """Draw tokens a second over threads; see `check_plot`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    threads = [measured.threads for measured in report.throughput]
    axes.plot(threads, [m.tokens_per_second for m in report.throughput], "o-", label="llava-bot")
    floors = [floor for floor in report.floor if floor is not None]
    if len(floors) == len(threads):
        axes.plot(threads, floors, "--", color="grey", label="floor")
    for name, one, style in (
        ("generate()", report.generate, ":"),
        ("generate(), static and compiled", report.generate_static, "-."),
    ):
        if one is not None:
            axes.axhline(one.tokens_per_second, linestyle=style, color="C1", label=name)
    axes.set(xlabel="threads", ylabel="tokens a second", xscale="log", yscale="log")
    axes.set_xticks(threads, [str(count) for count in threads])
    axes.set_title(f"{report.model}, {report.weights}, {report.hardware}", fontsize=9)
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=120)
