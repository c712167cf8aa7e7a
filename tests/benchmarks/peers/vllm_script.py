"""What runs in vLLM's own interpreter: vllm_script.py FOLDER PROMPT_TOKENS NEW_TOKENS THREADS …"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any


def main() -> None:
    """Print a line for each number of threads."""
    from vllm import LLM, SamplingParams

    folder = sys.argv[1]
    prompt_tokens, new_tokens, *counts = map(int, sys.argv[2:])
    engine: Any = LLM(
        model=folder,
        load_format="dummy",
        skip_tokenizer_init=True,
        max_model_len=prompt_tokens + new_tokens + 64,
        max_num_seqs=max(counts),
        enable_prefix_caching=False,
        disable_log_stats=True,
    )
    words = random.Random(0)  # noqa: S311 - tokens, no secret

    def took_s(threads: int, tokens: int) -> float:
        prompts = [
            {"prompt_token_ids": [words.randrange(100, 20_000) for _ in range(prompt_tokens)]}
            for _ in range(threads)
        ]
        sampling = SamplingParams(
            temperature=1.0, max_tokens=tokens, min_tokens=tokens, detokenize=False, ignore_eos=True
        )
        begun = time.perf_counter()
        engine.generate(prompts, sampling, use_tqdm=False)
        return time.perf_counter() - begun

    for threads in counts:
        took_s(threads, 8)  # graphs and kernels
        first = min(took_s(threads, 1) for _ in range(2))
        whole = min(took_s(threads, new_tokens) for _ in range(2))
        figure = {
            "threads": threads,
            "decoding": threads * (new_tokens - 1) / max(1e-9, whole - first),
            "whole": threads * new_tokens / whole,
            "prompts": threads * prompt_tokens / first,
        }
        print("figure:" + json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
