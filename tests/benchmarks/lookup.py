"""What prompt lookup brings where an answer quotes its prompt, and costs where it does not.

Run: `python -m tests.benchmarks.lookup [MODEL] [--sequences 1 4]`. Each answer is measured with and
without proposals, in one process; on a CPU in processor time too, in which other work on the
machine does not count.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from inference.backends.batching import BatchingBackend
from inference.backends.load import load_model
from inference.progress import StreamProgress
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.stepper import Stepper

PASSAGE = (
    "The harbour of Otaru was built in 1872. Its canal is 1,140 metres long and lined with brick "
    "warehouses, gas lamps and small glass shops. In February the town lights candles along the "
    "water, and visitors from Sapporo arrive on the slow train to see them float in the snow."
)
USER, ASSISTANT = Role.USER, Role.ASSISTANT
THREADS = {
    "quotes the thread": (
        Message(role=USER, text="Tell me about the harbour of Otaru."),
        Message(role=ASSISTANT, text=PASSAGE),
        Message(role=USER, text="Tell me about the harbour of Otaru."),
    ),
    "does not": (Message(role=USER, text="Tell me a story about a dog that learns to sail."),),
}


def main() -> None:
    """Print a line for each question, number of sequences and mode."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="pocket")
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--sequences", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--tokens", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cache = Path(".cache/models")
    spec = ModelSpec(name=arguments.model, quantize=arguments.quantize)
    backend = load_model(spec, cache_dir=cache, progress=StreamProgress(sys.stderr))
    if not isinstance(backend, BatchingBackend):
        raise SystemExit("this model does not take the fast path")
    print(f"{arguments.model} on {backend.model.device}, {torch.get_num_threads()} threads")
    scheduler = backend._scheduler
    proposer = scheduler._proposer
    if proposer is None:
        raise SystemExit("rows depend on each other here: nothing is proposed")
    for what, thread in THREADS.items():
        for count in arguments.sequences:
            texts: dict[str, list[str]] = {}
            for mode in ("off", "auto"):
                measured = []
                for at in range(arguments.rounds + 1):
                    scheduler._proposer = proposer if mode == "auto" else None
                    result = _measure(backend, thread, count, arguments.tokens)
                    texts[mode] = result[3]
                    if at:  # the first one warms up
                        measured.append(result[:3])
                wall, processor, per_step = (
                    statistics.median(one) for one in zip(*measured, strict=True)
                )
                print(
                    f"{what:18} {count:2} sequences, {mode:4}: {wall:7.1f} tokens/s, "
                    f"{processor:7.1f} a second of processor, {per_step:.2f} tokens a step"
                )
            print("  the same answers" if texts["off"] == texts["auto"] else "  OTHER ANSWERS")
            print("  ", repr(texts["auto"][0][:150]))


def _measure(
    backend: BatchingBackend, thread: tuple[Message, ...], count: int, tokens: int
) -> tuple[float, float, float, list[str]]:
    """Return tokens a second, tokens a second of processor time, tokens a step, and the texts."""
    stepper = Stepper(backend)
    sampling = Sampling(temperature=0.0, max_new_tokens=tokens)
    jobs = [
        stepper.ask(GenerationRequest(messages=thread, sampling=sampling)) for _ in range(count)
    ]
    while not all(sequence.is_prefilled for sequence in backend._requests):
        stepper.step()
    decoded = backend._scheduler.decoded
    steps, brought = decoded.steps, decoded.tokens
    wall, processor = time.perf_counter(), time.process_time()
    stepper.run()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    brought = decoded.tokens - brought
    per_step = brought / (decoded.steps - steps)
    return brought / wall, brought / processor, per_step, [stepper.text(job) for job in jobs]


if __name__ == "__main__":
    main()
