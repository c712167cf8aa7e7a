"""What `llava-bot models` says of a card's memory, against what nvidia-smi reports.

Run on a GPU, in true shapes with random weights:

    python -m tests.benchmarks.card_memory --model Qwen/Qwen3-VL-8B-Instruct --quantize nf4 \
        --threads 8 --tokens 2000 [--card 12]

Each thread holds a picture and is as long as said when its answer ends. The cache is as large as
they need, and torch may take no more than a card of `--card` GB has (by default the smallest usual
one that the table thinks large enough). Exits with 1 where the table is off by more than 5%, or
the model does not fit such a card, and with 2 where nothing can be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from inference.backends.batching import BatchingBackend
from inference.bench.workloads import Client
from inference.catalogue import Card, Need, fits_on
from inference.catalogue.choosing import Fit
from inference.device import use_expandable_segments
from inference.errors import GenerationFailed, ModelUnavailable
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import running_worker
from inference.types import ModelSpec
from tests.gpu.random_engine import fast_backend, holding, on_a_thread, random_model_of

USUAL_GB = (8, 10, 12, 16, 24, 32, 40, 48, 80, 96, 141)
PRECISIONS = {"none": "bf16", "int8": "int8", "nf4": "4 bits"}
MOST_OFF = 0.05
BESIDE_TORCH_BYTES = 300e6
"""What the driver takes while an engine starts: cuBLAS, modules of kernels, CUDA graphs."""
NEW_TOKENS = 64
MIB = 2**20


def asked(query: str) -> list[list[str]]:
    """Return the rows of an nvidia-smi query; none where it cannot be run."""
    command = ["nvidia-smi", f"--query-{query}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]


def used_by_card() -> dict[str, float]:
    """Return the bytes in use on each card, by its UUID."""
    rows = asked("gpu=uuid,memory.used")
    return {row[0]: float(row[1]) * MIB for row in rows if len(row) == 2 and row[1].isdigit()}


def used_by_process(uuid: str, pid: int) -> float | None:
    """Return a process's bytes on a card; None: it is not listed, as in most containers."""
    rows = asked("compute-apps=gpu_uuid,pid,used_memory")
    found = [
        float(row[2]) * MIB
        for row in rows
        if row[:2] == [uuid, str(pid)] and len(row) == 3 and row[2].isdigit()
    ]
    return sum(found) if found else None


@dataclass(slots=True)
class Watch:
    """Asks nvidia-smi now and then, in a thread of its own."""

    before: dict[str, float] = field(default_factory=used_by_card)
    """Bytes in use on each card before this process had its part."""
    how: str = ""
    most: dict[str, float] = field(default_factory=dict)
    """The most that was seen, by what was being done."""
    doing: str = "loading"
    _uuid: str | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, once torch can say which card it uses."""
        own = str(torch.cuda.get_device_properties(0).uuid)
        self._uuid = next((uuid for uuid in self.before if own in uuid), None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Return this process's bytes on the card."""
        if self._uuid is not None:
            own = used_by_process(self._uuid, os.getpid())
            if own is not None:
                self.how = "nvidia-smi, this process"
                return own
            card = used_by_card().get(self._uuid)
            if card is not None:
                self.how = "nvidia-smi, added on the card"
                return card - self.before[self._uuid]
        self.how = "the driver (nvidia-smi says nothing), the whole card"
        free, total = torch.cuda.mem_get_info(0)
        return float(total - free)

    def note(self, doing: str | None = None) -> float:
        """Look once. Args: doing: what is done from now on."""
        done = self.doing
        found = self.now()
        self.most[done] = max(found, self.most.get(done, 0.0))
        self.doing = doing or self.doing
        return found

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.25):
            self.note()


def row_of(spec: ModelSpec, threads: int, tokens: int) -> Fit:
    """Return the table's row. Raises: SystemExit: there is none."""
    everything = Card(name="", memory_bytes=float("inf"))
    need = Need(threads=threads, thread_tokens=tokens)
    names = {spec.name, f"{spec.name}-BF16"}
    for fit in fits_on(everything, need, fast=names):
        if fit.model.name in names and fit.precision == PRECISIONS[spec.quantize]:
            return fit
    raise SystemExit(f"llava-bot models has no row for {spec.name}")


def limit_torch(card_bytes: float, outside_bytes: float) -> None:
    """Let torch take what a card of this size leaves it. Args: outside_bytes: CUDA's context."""
    total = torch.cuda.get_device_properties(0).total_memory
    share = (card_bytes - outside_bytes - BESIDE_TORCH_BYTES) / total
    torch.cuda.set_per_process_memory_fraction(min(1.0, max(0.01, share)), 0)


async def fill(thread: DeviceThread, threads: int, tokens: int) -> int:
    """Answer in all threads at once, till each is `tokens` long. Returns: the shortest's length."""
    async with running_worker(thread, max_waiting=threads) as worker:
        client = Client(worker, text_tokens=1, new_tokens=NEW_TOKENS, temperature=1.0)
        await client.prepare(1)
        await client.stock(1)
        (question,) = client.question(client.new_picture())
        shortest = await worker.prompt_tokens((question,))
        if shortest + NEW_TOKENS > tokens:
            raise SystemExit(
                f"A picture and a word take {shortest} tokens: more --tokens, or fewer "
                "--picture-tokens"
            )
        text = tokens - NEW_TOKENS - shortest
        text += await worker.prompt_tokens((replace(question, pictures=()),))
        client = Client(worker, text_tokens=text, new_tokens=NEW_TOKENS, temperature=1.0)
        await client.prepare(1)
        await client.stock(threads)
        answers = await asyncio.gather(
            *(client.ask(client.question(client.new_picture(), i), seed=i) for i in range(threads))
        )
    return min(answer.end.prompt_tokens + answer.end.new_tokens for answer in answers)


def gb(size: float) -> str:
    """Write bytes in GB."""
    return f"{size / 1e9:.2f} GB"


def report(fit: Fit, backend: BatchingBackend, watch: Watch, loaded: tuple[int, int]) -> float:
    """Print all figures. Returns: how far the table is off, as a share of what is used."""
    said, used = fit.needed_bytes, watch.most["answering"]
    rest = said - fit.weights_bytes - fit.cache_bytes
    cache = (backend.model.cache_tokens or 0) * backend.token_bytes
    print(
        f"the table says {gb(said)}: weights {gb(fit.weights_bytes)}, "
        f"cache {gb(fit.cache_bytes)}, the rest {gb(rest)}"
    )
    held = backend.model.weights_bytes or 0
    print(f"the engine holds weights of {gb(held)}, a cache of {gb(cache)}")
    peak = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    for when, (allocated, reserved) in (("loading", loaded), ("answering", peak)):
        print(f"torch, {when}: {gb(allocated)} allocated at most, {gb(reserved)} reserved")
    for when, most in watch.most.items():
        print(f"{watch.how}, {when}: {gb(most)} at most")
    off = (said - used) / used
    print(f"the table is {off:+.1%} off what is used while it answers")
    return off


def measure(spec: ModelSpec, watch: Watch, arguments: argparse.Namespace) -> float:
    """Load, answer, print. Returns: how far the table is off. Raises: OutOfMemoryError."""
    fit = row_of(spec, arguments.threads, arguments.tokens)
    card = arguments.card or next(size for size in USUAL_GB if size * 1e9 >= fit.needed_bytes)
    use_expandable_segments(torch.device("cuda"))  # as a bot does, before torch takes memory
    torch.zeros(1, device="cuda")
    watch.start()
    context = watch.now() - torch.cuda.memory_reserved()
    limit_torch(card * 1e9, context)
    print(
        f"{spec.name}, {fit.precision}, {arguments.threads} threads of {arguments.tokens:,} tokens "
        f"on {torch.cuda.get_device_name(0)} as if it had {card} GB (CUDA's context {gb(context)})",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as kernels:
        backend = fast_backend(random_model_of(spec), spec, arguments.cache or Path(kernels))
        loaded = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        with on_a_thread(backend) as thread:
            watch.note("answering")
            torch.cuda.reset_peak_memory_stats()
            length = asyncio.run(fill(thread, arguments.threads, arguments.tokens))
            watch.note()
            watch.end()
            print(f"each thread became {length:,} tokens long")
            return report(fit, backend, watch, loaded)


def main() -> int:
    """Measure. Returns: the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="Qwen/Qwen3-VL-8B-Instruct")
    parser.add_argument("--quantize", choices=PRECISIONS, default="nf4")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--picture-tokens", type=int)
    parser.add_argument("--card", type=float, help="GB of the card to imitate")
    parser.add_argument("--cache", type=Path, help="folder for compiled kernels")
    arguments = parser.parse_args()
    watch = Watch()
    if not torch.cuda.is_available():
        print("There is no GPU here.", file=sys.stderr)
        return 2
    spec = ModelSpec(
        name=arguments.model,
        quantize=arguments.quantize,
        device="cuda:0",
        max_pictures=1,  # of several, none could have as many tokens
        picture_tokens=arguments.picture_tokens,
    )
    spec = holding(spec, threads=arguments.threads, tokens=arguments.tokens)
    try:
        off = measure(spec, watch, arguments)
    except (torch.OutOfMemoryError, GenerationFailed) as exc:
        print(f"It does not fit such a card: {exc}", file=sys.stderr)
        return 1
    except ModelUnavailable as exc:
        print(exc, file=sys.stderr)
        return 2
    return int(abs(off) > MOST_OFF)


if __name__ == "__main__":
    sys.exit(main())
