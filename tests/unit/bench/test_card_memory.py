"""`tests.benchmarks.card_memory`: which memory is this process's, and that it is all in use."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from inference.bench import random_llava
from inference.types import ModelSpec
from tests.benchmarks.card_memory import Watch, fill, row_of
from tests.gpu.random_engine import fast_backend, holding, on_a_thread, random_model_of

CARD = "GPU-5a1b"
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvidia-smi that prints the files `gpu` and `compute` of its folder."""
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$1" in *compute*) cat {tmp_path}/compute;; *) cat {tmp_path}/gpu;; esac\n'
    )
    program.chmod(0o755)
    (tmp_path / "gpu").write_text("GPU-0, 10\nGPU-5a1b, 500\n")
    (tmp_path / "compute").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    card = SimpleNamespace(uuid=CARD.removeprefix("GPU-"))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (60 * 2**20, 100 * 2**20))
    return tmp_path


def looked(watch: Watch) -> float:
    watch.start()
    watch.end()
    return watch.now() / 2**20


def test_a_process_that_nvidia_smi_lists_is_counted_alone(smi: Path) -> None:
    watch = Watch()
    (smi / "gpu").write_text(f"{CARD}, 4500\n")
    (smi / "compute").write_text(f"{CARD}, {os.getpid()}, 3000\n{CARD}, 1, 900\n")
    assert looked(watch) == 3000
    assert "this process" in watch.how


@pytest.mark.parametrize("listed", ["", f"{CARD}, PID, [N/A]\n", "[Not Supported]\n"])
def test_otherwise_it_is_what_was_added_on_its_card(smi: Path, listed: str) -> None:
    watch = Watch()
    (smi / "gpu").write_text(f"GPU-0, 9000\n{CARD}, 4500\n")
    (smi / "compute").write_text(listed.replace("PID", str(os.getpid())))
    assert looked(watch) == 4000


def test_without_nvidia_smi_the_driver_is_asked(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    watch = Watch()
    assert looked(watch) == 40
    assert "driver" in watch.how


def test_the_table_has_a_row_for_a_checkpoint_in_fp8_too() -> None:
    name = "mistralai/Ministral-3-8B-Instruct-2512"
    fit = row_of(ModelSpec(name=name, quantize="nf4"), 8, 2000)
    assert (fit.model.name, fit.precision) == (f"{name}-BF16", "4 bits")


@pytest.mark.heavy
def test_every_thread_becomes_as_long_as_the_cache_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(random_llava.TEXT_SHAPES, "small", SMALL)
    monkeypatch.setitem(random_llava.TOWER, "num_hidden_layers", 3)
    monkeypatch.setitem(random_llava.TOWER, "intermediate_size", 64)
    spec = holding(ModelSpec(name="small", device="cpu"), threads=3, tokens=800)
    backend = fast_backend(random_model_of(spec), spec, tmp_path)
    assert backend.model.cache_tokens == 3 * 800
    with on_a_thread(backend) as thread:
        assert 796 <= asyncio.run(fill(thread, 3, 800)) <= 800
