"""How speed changes with the number of threads, and with the length of one: flat but for KV reads?

    python -m tests.benchmarks.growth [--model Qwen/Qwen3-VL-8B-Instruct] [--quantize nf4]

True shapes, random weights, a picture of 448 × 448 in each thread. First with 1 to 128 threads:
tokens/s while all of them decode, and the first token of a newcomer with a picture beside the
others. Then a thread of 1 to 50 turns: its first token, and tokens/s of its answers. A step has to
read the weights once and every thread's keys and values: "of the floor" is the share of the speed
at which the memory does that, so a share that falls shows what grows besides. `--tiny` runs the
same on a tiny model, on a CPU too.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from inference.backends.batching import BatchingBackend
from inference.bench import random_models
from inference.bench.baselines import floor_tokens_per_second, read_bandwidth
from inference.bench.random_qwen import qwen3
from inference.bench.workloads import Answered, Client, picture_of
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import Worker, running_worker
from inference.types import Message, ModelSpec, Role
from tests.gpu.random_engine import fast_backend, on_a_thread, random_model_of
from tests.waiting import until

THREADS = (1, 2, 4, 8, 16, 32, 64, 128)
TURNS = 50
SHOWN = (1, 2, 5, 10, 20, 30, 40, 50)
ANSWER_TOKENS = 64
QUESTION_TOKENS = 40
NEWCOMERS = 3
SIDE_PX = 448
CONTEXT_TOKENS = 8192
TINY = "tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a step has to read, and how fast that goes."""

    weights_bytes: int
    token_bytes: float
    bandwidth: float

    def floor(self, threads: int, context_tokens: int) -> float:
        """Return the tokens/s of all threads together that the memory allows."""
        return floor_tokens_per_second(
            self.weights_bytes,
            self.token_bytes,
            threads=threads,
            context_tokens=context_tokens,
            own_tokens=context_tokens,
            bandwidth=self.bandwidth,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of either table."""

    size: int
    """Threads, or turns."""
    context_tokens: int
    """Of each thread, meanwhile."""
    tokens_per_second: float
    of_floor: float
    first_token_ms: float
    """Of threads: a newcomer's, with a picture, beside all others. Of turns: the turn's own."""
    also: float
    """Of threads: ms till all had begun, asked at once. Of turns: its prompt's cached share."""


class Growth:
    """Asks an engine more and more."""

    def __init__(self, backend: BatchingBackend, worker: Worker, machine: Machine) -> None:
        self._backend = backend
        self._machine = machine
        self._pictures = 0
        self._client = Client(
            worker, text_tokens=QUESTION_TOKENS, new_tokens=ANSWER_TOKENS, temperature=1.0
        )

    async def prepare(self) -> None:
        """Find the words of a question, and run each kind of step once."""
        await self._client.prepare(1)
        for _ in range(2):
            await self._client.ask(self._question(), tokens=8)

    async def of_threads(self, threads: int, window_s: float) -> Row:
        """Measure with so many threads, each with a picture of its own."""
        questions = [self._question() for _ in range(threads)]
        asked_at = time.perf_counter()
        answers = [Answered(asked_at) for _ in questions]
        decoding = [
            asyncio.create_task(
                self._client.ask(question, seed=i, tokens=CONTEXT_TOKENS // 2, into=answer)
            )
            for i, (question, answer) in enumerate(zip(questions, answers, strict=True))
        ]
        try:
            await until(lambda: all(answer.times for answer in answers), timeout_s=300)
            begun_ms = (max(answer.times[0] for answer in answers) - asked_at) * 1e3
            pieces = sum(len(answer.times) for answer in answers)
            rate = await self._rate(window_s)
            pieces += sum(len(answer.times) for answer in answers)
            await _ended(decoding.pop())  # the newcomer takes its place
            firsts = [
                (await self._client.ask(self._question(), seed=i, tokens=2)).first_token_ms
                for i in range(NEWCOMERS)
            ]
        finally:
            await _ended(*decoding)
        prompt = await self._client.worker.prompt_tokens(questions[0])
        context = prompt + pieces // (2 * threads)  # in the middle of the window
        return Row(
            size=threads,
            context_tokens=context,
            tokens_per_second=rate,
            of_floor=rate / self._machine.floor(threads, context),
            first_token_ms=statistics.median(firsts),
            also=begun_ms,
        )

    async def of_turns(self, turns: int) -> list[Row]:
        """Measure one thread that grows by a question and an answer each turn."""
        thread = self._question()
        rows = []
        for turn in range(1, turns + 1):
            answered = await self._client.ask(thread, seed=turn)
            end = answered.end
            took_s = answered.ended_at - answered.times[0] if answered.times else 0.0
            rate = (end.new_tokens - 1) / took_s if took_s else 0.0
            context = end.prompt_tokens + end.new_tokens // 2
            rows.append(
                Row(
                    size=turn,
                    context_tokens=context,
                    tokens_per_second=rate,
                    of_floor=rate / self._machine.floor(1, context),
                    first_token_ms=answered.first_token_ms,
                    also=end.cached_tokens / end.prompt_tokens,
                )
            )
            answer = Message(role=Role.ASSISTANT, text=answered.text.strip() or "a")
            words = " a" * (QUESTION_TOKENS // 2)
            thread = (*thread, answer, Message(role=Role.USER, text=f"{turn}{words}"))
        return rows

    async def _rate(self, window_s: float) -> float:
        """Return the tokens/s of all while they decode."""
        decoded = self._backend.decoded
        before, begun = decoded.tokens, time.perf_counter()
        await asyncio.sleep(window_s)
        return (decoded.tokens - before) / (time.perf_counter() - begun)

    def _question(self) -> tuple[Message, ...]:
        self._pictures += 1
        picture = picture_of(self._pictures, (SIDE_PX, SIDE_PX))
        return self._client.question(picture, self._pictures)


async def _ended(*tasks: asyncio.Task[Answered]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def tiny_shape() -> Iterator[None]:
    """Let `random_model` know a tiny model, which a CPU runs too."""
    tower = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 256,
        "deepstack_visual_indexes": [0],
    }
    text = {
        "vocab_size": 4096,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    random_models.MODELS[TINY] = qwen3(vision=tower, text=text, tie=False)
    try:
        yield
    finally:
        del random_models.MODELS[TINY]


def show(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print(flush=True)


def show_threads(rows: list[Row]) -> None:
    """Print what more threads change."""
    head = ("threads", "tokens each", "tokens/s", "of the floor", "newcomer's first token")
    show(
        (*head, "all begun, asked at once"),
        [
            (
                str(row.size),
                f"{row.context_tokens:,}",
                f"{row.tokens_per_second:,.0f}",
                f"{row.of_floor:.0%}",
                f"{row.first_token_ms:.1f} ms",
                f"{row.also:,.0f} ms",
            )
            for row in rows
        ],
    )


def show_turns(rows: list[Row]) -> None:
    """Print what more turns change."""
    show(
        ("turn", "tokens", "first token", "cached", "tokens/s", "of the floor"),
        [
            (
                str(row.size),
                f"{row.context_tokens:,}",
                f"{row.first_token_ms:.1f} ms",
                f"{row.also:.0%}",
                f"{row.tokens_per_second:,.0f}",
                f"{row.of_floor:.0%}",
            )
            for row in rows
            if row.size in SHOWN or row.size == len(rows)
        ],
    )


async def measure(
    backend: BatchingBackend, worker: Worker, machine: Machine, arguments: argparse.Namespace
) -> None:
    """Measure both and print the tables."""
    growth = Growth(backend, worker, machine)
    await growth.prepare()
    rows = []
    for threads in arguments.threads:
        if threads > backend.max_running:
            print(f"{threads} threads: {backend.max_running} run at once")
            continue
        rows.append(await growth.of_threads(threads, arguments.window_s))
    show_threads(rows)
    await growth.of_turns(min(3, arguments.turns))  # the first time, kernels are loaded
    show_turns(await growth.of_turns(arguments.turns))


def main(*argv: str) -> None:
    """Load, measure, print. Args: argv: the command line; none: that of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="Qwen/Qwen3-VL-8B-Instruct")
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, nargs="+", default=list(THREADS))
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--window-s", type=float, default=0.7)
    parser.add_argument("--cache", type=Path, help="folder for compiled kernels")
    arguments = parser.parse_args(argv or None)
    begun = time.perf_counter()
    spec = ModelSpec(
        name=TINY if arguments.tiny else arguments.model,
        quantize=arguments.quantize,
        device=arguments.device,
        context_tokens=CONTEXT_TOKENS,
        # Each thread decodes for a second or two.
        cache_tokens=max(2 * CONTEXT_TOKENS, 1024 * max(arguments.threads)),
    )
    with tiny_shape(), tempfile.TemporaryDirectory() as kernels:
        loaded = random_model_of(spec)
        device = torch.device(loaded.weights.device)
        bandwidth = read_bandwidth(device)
        backend = fast_backend(loaded, spec, arguments.cache or Path(kernels))
        del loaded
        machine = Machine(
            weights_bytes=backend.model.step_bytes or 0,
            token_bytes=backend.token_bytes,
            bandwidth=bandwidth,
        )
        on = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU"
        weights_gb = machine.weights_bytes / 1e9
        print(
            f"{spec.name}, {backend.model.weights}, on {on}, read at {bandwidth / 1e9:,.0f} GB/s: "
            f"weights of {weights_gb:.2f} GB, {backend.token_bytes / 1e3:.0f} KB a token\n",
            flush=True,
        )

        async def run(thread: DeviceThread) -> None:
            async with running_worker(thread, max_waiting=256) as worker:
                await measure(backend, worker, machine, arguments)

        with on_a_thread(backend) as thread:
            asyncio.run(run(thread))
    print(f"took {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
