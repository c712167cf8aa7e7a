"""What an answer of a model's server costs the bot's process: `python -m tests.benchmarks.remote`.

A local server, in a process of its own, streams words to many questions at once; printed is the
processor time of this process for each token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from contextlib import aclosing
from multiprocessing.queues import Queue

from inference.remote.connecting import RemoteModel
from inference.serving.load_state import LoadState
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.pictures import plain_picture
from tests.servers.openai.server import Script, running_openai


async def _serve(addresses: Queue[str], num_tokens: int) -> None:
    words = [f"word {number} " for number in range(num_tokens)]
    async with running_openai(Script(words=words, context=8192)) as server:
        addresses.put(server.address)
        await asyncio.Event().wait()


def _server(addresses: Queue[str], num_tokens: int) -> None:
    asyncio.run(_serve(addresses, num_tokens))


async def load(address: str, *, at_once: int, num_tokens: int, rounds: int) -> dict[str, float]:
    """Let that many questions be answered at once, again and again. Returns: the figures."""
    remote = RemoteModel(spec=ModelSpec(name=f"openai:{address}#tiny"))
    picture = plain_picture(size=(1024, 768))

    async def ask(number: int) -> None:
        request = GenerationRequest(
            messages=(Message(role=Role.USER, text="What is this?", pictures=(picture,)),),
            sampling=Sampling(max_new_tokens=num_tokens),
            thread=str(number),
        )
        async with aclosing(running.stream(request)) as events:
            async for _ in events:
                pass

    async with remote.running(LoadState(), max_waiting=at_once) as running:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        for _ in range(rounds):
            await asyncio.gather(*(ask(number) for number in range(at_once)))
        cpu_s = time.process_time() - cpu_s
        elapsed_s = time.perf_counter() - began_s
    num_answers = at_once * rounds
    return {
        "answers": num_answers,
        "elapsed_s": round(elapsed_s, 2),
        "cpu_ms_per_answer": round(1000 * cpu_s / num_answers, 2),
        "cpu_us_per_token": round(1e6 * cpu_s / num_answers / num_tokens, 1),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    addresses: Queue[str] = context.Queue()
    server = context.Process(target=_server, args=(addresses, options.tokens), daemon=True)
    server.start()
    try:
        figures = asyncio.run(
            load(
                addresses.get(timeout=120),
                at_once=options.at_once,
                num_tokens=options.tokens,
                rounds=options.rounds,
            )
        )
    finally:
        server.terminate()
        server.join(60)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
