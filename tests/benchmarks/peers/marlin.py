"""The four-bit products of a decoder's layer alone: ours against Marlin's of GPTQModel's wheel."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from inference.catalogue.shapes import MODELS, CatalogueModel
from tests.benchmarks.peers.results import Result, Workload

GROUP = 128


def sizes_of(model: CatalogueModel) -> list[tuple[int, int]]:
    """Return a layer's products (outputs, inputs), queries to values and gate with up as one."""
    heads = model.heads * model.head
    return [
        (heads + 2 * model.kv_heads * model.head, model.hidden),
        (model.hidden, heads),
        (2 * model.intermediate, model.hidden),
        (model.hidden, model.intermediate),
    ]


def why_not() -> str:
    """Return why the product cannot be measured; nothing if it can."""
    if not torch.cuda.is_available():
        return "there is no GPU"
    if find_spec("gptqmodel") is None:
        return "gptqmodel is not installed"
    return ""


def measure(workload: Workload, cache_dir: Path | None = None) -> Result:
    """Time a layer's products by rows. Its figures are microseconds, in the result's note."""
    result = Result(name="Marlin (GPTQModel), products alone")
    model = next((model for model in MODELS if model.name == workload.model), None)
    result.skipped = why_not() or ("" if model else f"the shape of {workload.model} is not known")
    if result.skipped or model is None:
        return result
    from inference.kernels.skinny import Skinny
    from tests.benchmarks.skinny import ENCODINGS, random_weights, time_skinny

    rows_list = [rows for rows in workload.threads if rows <= 64]
    ours, theirs = dict.fromkeys(rows_list, 0.0), dict.fromkeys(rows_list, 0.0)
    with tempfile.TemporaryDirectory() as kernels:
        skinny = Skinny(cache_dir or Path(kernels))
        for n, k in sizes_of(model):
            weights, _ = random_weights(ENCODINGS["nf4"], n, k)
            for rows in rows_list:
                ours[rows] += time_skinny(skinny, weights, rows)
            products = [_product(n, k) for _ in weights]
            for rows in rows_list:
                theirs[rows] += _time(products, rows, k)
    result.weights = "GPTQ, groups of 128"
    result.note = "a layer's products by rows, ours in NF4 / Marlin: " + ", ".join(
        f"{rows}: {ours[rows]:.1f} / {theirs[rows]:.1f} µs" for rows in rows_list
    )
    return result


def _product(n: int, k: int) -> Any:
    """Return one of its modules with random weights."""
    from gptqmodel.nn_modules.qlinear.marlin import MarlinLinear

    module: Any = MarlinLinear(
        bits=4,
        group_size=GROUP,
        desc_act=False,
        sym=True,
        in_features=k,
        out_features=n,
        bias=False,
        dtype=torch.bfloat16,
    ).to("cuda")
    with torch.no_grad():
        module.qweight.random_(-(2**31), 2**31 - 1)
        module.qzeros.zero_()
        module.scales.uniform_(0.01, 0.02)
        module.g_idx.copy_(torch.arange(k, dtype=torch.int32) // GROUP)
    module.post_init()
    return module.eval()


def _time(products: list[Any], rows: int, k: int) -> float:
    from tests.benchmarks.skinny import graphed_us

    x = torch.randn(rows, k, device="cuda", dtype=torch.bfloat16)
    with torch.inference_mode():
        return graphed_us(lambda copy: products[copy](x), len(products))
