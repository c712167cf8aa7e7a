"""This engine with prompts of text alone, as the peers have them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from inference.bench.workloads import Answered, Client
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import running_worker
from inference.types import Message, ModelSpec, Role
from tests.benchmarks.peers.results import Result, Workload
from tests.gpu.random_engine import fast_backend, on_a_thread, random_model_of


class Asker:
    """Asks with prompts of one length that share nothing, all at once."""

    def __init__(self, client: Client, prompt_tokens: int) -> None:
        self._client = client
        self._prompt_tokens = prompt_tokens
        self._asked = 0
        self._words = ""

    async def prepare(self) -> None:
        """Find the words that fill a prompt, and run each kind of step once."""
        empty = await self._client.worker.prompt_tokens(self.questions(1)[0])
        self._words = " a"
        each = await self._client.worker.prompt_tokens(self.questions(1)[0]) - empty
        self._words *= max(0, self._prompt_tokens - empty) // each
        await self.ask(self.questions(2), tokens=8)

    def questions(self, count: int) -> list[tuple[Message, ...]]:
        """Return questions that no other begins like."""
        first = self._asked
        self._asked += count
        return [
            (Message(role=Role.USER, text=f"{number:08d}{self._words}"),)
            for number in range(first, self._asked)
        ]

    async def ask(
        self, questions: list[tuple[Message, ...]], *, tokens: int, seed: int = 0
    ) -> list[Answered]:
        """Ask all at once."""
        return await asyncio.gather(
            *(
                self._client.ask(question, seed=seed + i, tokens=tokens)
                for i, question in enumerate(questions)
            )
        )


def _seconds(answers: list[Answered]) -> float:
    return max(one.ended_at for one in answers) - min(one.asked_at for one in answers)


def _rate(answers: list[Answered]) -> float:
    """Return tokens/s from when the last one begins till the first one ends."""
    begin = max(one.times[0] if one.times else one.ended_at for one in answers)
    end = min(one.ended_at for one in answers)
    if end <= begin:
        return 0.0
    tokens = sum(
        sum(begin < at <= end for at in one.times) * one.end.new_tokens / max(1, len(one.times))
        for one in answers
    )
    return tokens / (end - begin)


def measure(workload: Workload, cache_dir: Path | None = None) -> Result:
    """Load random weights in true shapes and ask. Raises: ModelUnavailable."""
    spec = ModelSpec(
        name=workload.model,
        quantize="nf4" if workload.few_bits else "none",
        context_tokens=workload.thread_tokens,
        # Each number of threads has prompts of its own, and keeps them for a second round.
        cache_tokens=2 * workload.capacity_tokens,
    )
    with tempfile.TemporaryDirectory() as kernels:
        backend = fast_backend(random_model_of(spec), spec, cache_dir or Path(kernels))
        weights = backend.model.weights
        result = Result(name="llava-bot", weights=weights)

        async def run(thread: DeviceThread) -> None:
            async with running_worker(thread, max_waiting=2 * max(workload.threads)) as worker:
                client = Client(
                    worker, text_tokens=0, new_tokens=workload.new_tokens, temperature=1.0
                )
                asker = Asker(client, workload.prompt_tokens)
                await asker.prepare()
                for threads in workload.threads:
                    questions = asker.questions(threads)
                    answers = await asker.ask(questions, tokens=workload.new_tokens)
                    result.whole[threads] = threads * workload.new_tokens / _seconds(answers)
                    # Their prompts are cached now: all begin at once.
                    answers = await asker.ask(questions, tokens=workload.new_tokens, seed=1000)
                    result.decoding[threads] = _rate(answers)
                answers = await asker.ask(asker.questions(max(workload.threads)), tokens=1)
                prompts = sum(one.end.prompt_tokens for one in answers)
                result.prompt_tokens_per_s = prompts / _seconds(answers)

        with on_a_thread(backend) as thread:
            asyncio.run(run(thread))
    return result
