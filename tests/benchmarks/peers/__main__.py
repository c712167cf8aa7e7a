"""Measure this engine and others on one card, one after the other, and print one table.

    python -m tests.benchmarks.peers [--model llava-hf/llava-1.5-7b-hf] [--quantize nf4] \
        [--threads 1 8 32] [--llama FOLDER] [--vllm PYTHON] [--only NAME …]

Prompts are text of the same length for all (`--prompt-tokens`, `--new-tokens`), weights are random
in the same decoder's shape: no peer shows pictures here. What is not installed is named with the
reason. Each runs in a process of its own, so that the card is empty before the next one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from inference.errors import ModelUnavailable
from tests.benchmarks.peers.results import Result, Workload, result_in, table

PEERS = ("ours", "llama.cpp", "vllm", "marlin")
LIMIT_S = 1200


def arguments_of(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers")
    parser.add_argument("--model", default="llava-hf/llava-1.5-7b-hf")
    parser.add_argument("--quantize", choices=["none", "nf4"], default="nf4")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--prompt-tokens", type=int, default=638)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--llama", type=Path, help="folder of llama.cpp's programs")
    parser.add_argument("--gguf", type=Path, help="a file for llama.cpp, instead of random weights")
    parser.add_argument("--cpu-threads", type=int, help="threads of llama.cpp on a CPU")
    parser.add_argument("--vllm", help="a Python that has vllm")
    parser.add_argument("--cache", type=Path, help="folder for our compiled kernels")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measured(peer: str, arguments: argparse.Namespace) -> Result:
    """Measure one in this process."""
    workload = Workload(
        model=arguments.model,
        few_bits=arguments.quantize == "nf4",
        threads=tuple(arguments.threads),
        prompt_tokens=arguments.prompt_tokens,
        new_tokens=arguments.new_tokens,
    )
    if peer == "llama.cpp":
        from tests.benchmarks.peers import llama_cpp

        return llama_cpp.measure(
            workload,
            folder=arguments.llama,
            gguf=arguments.gguf,
            cpu_threads=arguments.cpu_threads,
        )
    if peer == "vllm":
        from tests.benchmarks.peers import vllm_engine

        return vllm_engine.measure(workload, python=arguments.vllm)
    if peer == "marlin":
        from tests.benchmarks.peers import marlin

        return marlin.measure(workload, arguments.cache)
    from tests.benchmarks.peers import ours

    return ours.measure(workload, arguments.cache)


def in_a_process(peer: str, argv: list[str]) -> Result:
    """Measure one in a process of its own; a failure is its result."""
    command = [sys.executable, "-m", "tests.benchmarks.peers", *argv]
    command += ["--only", peer, "--in-this-process"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Result(name=peer, skipped=f"it took longer than {LIMIT_S} s")
    found = result_in(done.stdout)
    if found is None:
        what = next(reversed(done.stderr.strip().splitlines()), "")
        return Result(name=peer, skipped=f"it ended with {done.returncode}: {what}")
    return found


def main(argv: list[str]) -> int:
    """Measure all. Returns: the exit status."""
    arguments = arguments_of(argv)
    if arguments.in_this_process:
        try:
            print(measured(arguments.only[0], arguments).line())
        except ModelUnavailable as exc:
            print(Result(name=arguments.only[0], skipped=str(exc)).line())
        return 0
    results = []
    for peer in arguments.only:
        results.append(in_a_process(peer, argv))
        print(f"{peer}: {results[-1].skipped or 'measured'}", file=sys.stderr, flush=True)
    print(table(results, arguments.threads))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
