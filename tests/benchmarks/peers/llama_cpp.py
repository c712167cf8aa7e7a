"""llama.cpp: its own llama-batched-bench, which decodes so many sequences together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.peers import random_gguf
from tests.benchmarks.peers.results import Result, Workload

PROGRAM = "llama-batched-bench"
HOW = "tests/benchmarks/peers/build_llama_cpp.sh FOLDER builds it, --llama FOLDER names it"
LIMIT_S = 900


def measure(
    workload: Workload, *, folder: Path | None, gguf: Path | None, cpu_threads: int | None = None
) -> Result:
    """Run its benchmark over a GGUF: the one that is given, or random weights in the same shape."""
    result = Result(name="llama.cpp")
    where = f"{folder / 'bin'}{os.pathsep}{folder}" if folder else None
    program = shutil.which(PROGRAM, path=where)
    if program is None:
        result.skipped = f"there is no {PROGRAM} ({HOW})"
        return result
    shape = random_gguf.shape_of(workload.model)
    if gguf is None and shape is None:
        result.skipped = f"it has no architecture for the decoder of {workload.model}, or no --gguf"
        return result
    with tempfile.TemporaryDirectory() as made:
        file = gguf or Path(made) / "random.gguf"
        if gguf is None and shape is not None:
            random_gguf.write(shape, file, few_bits=workload.few_bits)
        result.weights = file.stem if gguf else ("Q4_K, head Q6_K" if workload.few_bits else "F16")
        _run(result, workload, program, file, cpu_threads)
    return result


def _run(
    result: Result, workload: Workload, program: str, file: Path, cpu_threads: int | None
) -> None:
    most = str(2048)
    command = [program, "-m", str(file), "-c", str(workload.capacity_tokens), "-b", most]
    command += ["-ub", most, "-ngl", "999", "-fa", "on", "--output-format", "jsonl"]
    command += ["-npp", str(workload.prompt_tokens), "-ntg", str(workload.new_tokens)]
    command += ["-npl", ",".join(map(str, workload.threads))]
    if cpu_threads:
        command += ["-t", str(cpu_threads), "-tb", str(cpu_threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not rows:
        what = next(reversed(done.stderr.strip().splitlines()), "")
        result.skipped = f"{PROGRAM} ended with {done.returncode}: {what}"
        return
    for row in rows:
        threads = row["pl"]
        result.decoding[threads] = row["speed_tg"]
        result.whole[threads] = threads * row["tg"] / row["t"]
    result.prompt_tokens_per_s = rows[-1]["speed_pp"]
