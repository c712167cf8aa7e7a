"""The results as a table, as JSON and as a chart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

from inference.bench.baselines import Generated
from inference.bench.workloads import FirstTokens, Gaps, Quoting, Throughput
from inference.errors import ModelUnavailable


@dataclass(slots=True, kw_only=True)
class Report:
    """The results; None: not measured, or not applicable."""

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
    """Tokens per second, for each of `throughput`."""
    speedup_over_generate: list[float | None] = field(default_factory=list)
    tokens_per_step: list[float | None] = field(default_factory=list)
    """Of each thread in a decode step, for each of `throughput`; beyond 1 by proposals."""
    quoting: Quoting | None = None
    first_tokens: FirstTokens | None = None
    picture_ms: float | None = None
    """Vision tower and projector, for one picture."""
    pictures_encoded_again: int | None = None
    gaps: Gaps | None = None
    loop_lag_p99_ms: float = 0.0
    loop_lag_worst_ms: float = 0.0
    device_memory_gib: float = 0.0
    """Used on the device in total, CUDA's own use included; on a CPU, by this process."""
    weights_memory_gib: float | None = None
    cache_tokens: int | None = None
    load_s: float = 0.0
    engine_start_s: float = 0.0
    """From loaded weights to the first answer: kernels, graphs, cache."""

    def to_json(self) -> str:
        """Return all results as JSON."""
        return json.dumps(asdict(self), indent=2)


def table(report: Report) -> str:
    """Return the report as text."""
    lines = [
        f"{report.model}, {report.weights}, on {report.hardware}; {report.software}",
        f"path: {report.path}; a decode step reads {report.weight_gb:.2f} GB of weights",
        f"memory bandwidth {report.read_bandwidth_tb_s:.2f} TB/s",
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
                f"{one.step_ms:7.2f} ms per step   {one.tokens_per_second:8.1f} tokens/s"
            )
    for measured, floor, speedup, per_step in zip(
        report.throughput,
        report.floor,
        report.speedup_over_generate,
        report.tokens_per_step,
        strict=True,
    ):
        kind = ", one picture" if measured.same_picture else ""
        who = "1 thread" if measured.threads == 1 else f"{measured.threads} threads"
        line = (
            f"{who + kind:24} {measured.step_ms:7.2f} ms per step   "
            f"{measured.tokens_per_second:8.1f} tokens/s   "
            f"(with prefill {measured.whole_tokens_per_second:.1f})"
        )
        if speedup is not None:
            line += f"   {speedup:5.1f} × generate()"
        if floor is not None:
            line += f"   floor {floor:.0f} ({100 * measured.tokens_per_second / floor:.0f}%)"
        if per_step is not None:
            line += f"   {per_step:.2f} tokens a step"
        lines.append(line)
    lines += _repeating(report.quoting)
    if report.first_tokens is not None:
        first = report.first_tokens
        lines += [
            "",
            _first_token("new picture", first.new_picture_ms, first.new_picture_device_ms)
            + ("" if report.picture_ms is None else f", the picture {report.picture_ms:.1f} ms"),
            _first_token("follow-up", first.follow_up_ms, first.follow_up_device_ms)
            + f"; {100 * first.prefix_hit:.0f}% of the conversation was cached",
        ]
        if report.pictures_encoded_again is not None:
            lines.append(f"pictures encoded again: {report.pictures_encoded_again}")
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
    cache = "" if report.cache_tokens is None else f", with a cache of {report.cache_tokens} tokens"
    lines.append(f"memory used on the device: {report.device_memory_gib:.2f} GiB{cache}")
    return "\n".join(lines)


def _repeating(quoting: Quoting | None) -> list[str]:
    if quoting is None:
        return []
    speed = f"{'1 thread, repeating':24} {quoting.tokens_per_second:8.1f} tokens/s"
    return [f"{speed}   {quoting.tokens_per_step:.2f} tokens a step"]


def _first_token(of: str, ms: float, device_ms: float) -> str:
    return f"first token, {of:12} {ms:7.1f} ms, {device_ms:.1f} ms of it on the device"


def check_plot(file: Path) -> None:
    """Check that `plot` can draw. Raises: ModelUnavailable."""
    if find_spec("matplotlib") is None:
        raise ModelUnavailable("--plot needs matplotlib: pip install matplotlib.")
    if not file.absolute().parent.is_dir():
        raise ModelUnavailable(f"There is no folder for --plot {file}.")


def plot(report: Report, file: Path) -> None:
    """Plot tokens per second over threads; call `check_plot` first."""
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
    axes.set(xlabel="threads", ylabel="tokens per second", xscale="log", yscale="log")
    axes.set_xticks(threads, [str(count) for count in threads])
    axes.set_title(f"{report.model}, {report.weights}, {report.hardware}", fontsize=9)
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=120)
