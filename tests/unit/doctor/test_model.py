"""`doctor` says whether the model is here, and fits the disk, the card and the memory."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.doctor import model
from bot.doctor.model import Gpu
from bot.platforms.findings import Finding, Status
from inference.backends.survey import Place, size_by_name, weight_bytes_in
from inference.pocket.fetch import pocket_dir
from tests.unit.doctor.looking import GB, configured, of_status, the


def has(tmp_path: Path, **settings: Any) -> list[Finding]:
    return model.model(configured(tmp_path, **settings))


def with_memory(
    monkeypatch: pytest.MonkeyPatch, *, disk: int = 99 * GB, ram: int = 99 * GB
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=ram))


def checkpoint(folder: Path, **sizes: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    for name, size in sizes.items():
        with (folder / name.replace("_", ".")).open("wb") as file:
            file.truncate(size)
    return folder


def test_the_pocket_is_built_or_will_be_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch)
    assert "the first start fetches the model pocket: 1.2 GB" in has(tmp_path)[0].what
    with_memory(monkeypatch, disk=GB, ram=GB)
    room, _, memory = has(tmp_path)
    assert (room.status, "set DATA_DIR" in room.fix) == (Status.WRONG, True)
    assert (memory.status, "close what uses the memory" in memory.fix) == (Status.WRONG, True)
    pocket_dir(tmp_path / "models").mkdir(parents=True)
    assert has(tmp_path)[0] == Finding("the model pocket is built")


def test_a_model_of_the_hub_is_told_with_its_size_and_the_room_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, disk=5 * GB, ram=20 * GB)
    weights, gpu, memory = has(tmp_path, model="llava-hf/llava-1.5-7b-hf")
    assert "14.0 GB on the disk, where 5.0 GB are free" in weights.what
    assert (weights.status, "HF_HOME" in weights.fix) == (Status.WRONG, True)
    assert (gpu.status, "MODEL=pocket" in gpu.fix) == (Status.WARNING, True)
    assert (memory.status, "30.0 GB" in memory.what) == (Status.WARNING, True)
    unknown = has(tmp_path, model="somebody/nameless")[0]
    assert unknown.status is Status.UNKNOWN


def test_a_model_that_is_here_is_found_whole_or_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch)
    folder = checkpoint(tmp_path / "mine", model_safetensors=3 * GB, pytorch_bin=3 * GB)
    assert has(tmp_path, model=str(folder))[0] == Finding(f"the model {folder} is here (3.0 GB)")
    cached = tmp_path / "hub" / "models--a--b-7b" / "snapshots" / "0f"
    checkpoint(cached, model_safetensors=4 * GB)
    refs = cached.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0f")
    assert "fetches the rest of the model a/b-7b: 10.0 GB" in has(tmp_path, model="a/b-7b")[0].what
    os.truncate(cached / "model.safetensors", 14 * GB)
    assert has(tmp_path, model="a/b-7b")[0] == Finding("the model a/b-7b is here (14.0 GB)")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("poket", "There is no model 'poket'. Did you mean pocket?"),
        ("llava", "There is no model 'llava'."),
        ("./nowhere", "There is no folder './nowhere': check MODEL."),
    ],
)
def test_a_name_that_cannot_be_a_model_is_told(name: str, fix: str, tmp_path: Path) -> None:
    finding = the(has(tmp_path, model=name))
    assert (finding.status, finding.fix[: len(fix)]) == (Status.WRONG, fix)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("llava-hf/llava-1.5-7b-hf", 14 * GB),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 6 * GB),
        ("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", GB),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", None),
        ("somebody/4bit", None),
    ],
)
def test_a_models_size_is_read_from_its_name(name: str, size: int | None) -> None:
    assert size_by_name(name) == size


def card(free_gb: int, driver: str = "580.82.07") -> Gpu:
    return Gpu(name="RTX", driver=driver, total_bytes=24 * GB, free_bytes=free_gb * GB)


@pytest.mark.parametrize(
    ("free_gb", "quantize", "fix"),
    [
        (20, "none", None),
        (12, "none", "set QUANTIZE=int8."),
        (8, "none", "set QUANTIZE=nf4."),
        (8, "nf4", None),
        (4, "nf4", "choose a smaller model, or pocket."),
    ],
)
def test_what_fits_the_gpu_is_recommended(
    free_gb: int, quantize: str, fix: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "gpus", lambda: (card(free_gb),))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0")
    with_memory(monkeypatch)
    findings = has(tmp_path, model="llava-hf/llava-1.5-7b-hf", quantize=quantize)[1:]
    assert "RTX" in findings[0].what
    assert [finding.fix for finding in findings if finding.fix] == ([] if fix is None else [fix])


def test_a_gpu_that_torch_cannot_use_and_one_that_is_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0+cpu")
    missing = has(tmp_path, device="cuda:0")[1]
    assert (missing.status, "DEVICE" in missing.fix) == (Status.WRONG, True)
    monkeypatch.setattr(model, "gpus", lambda: (card(20),))
    assert "torch for CUDA" in of_status(has(tmp_path), Status.WARNING)


@pytest.mark.parametrize(
    ("made_for", "driver", "fix"),
    [
        ("'13.0'", "580.82.07", None),
        ("'13.0'", "570.1", "install driver 580.65 or newer, or torch for an older CUDA."),
        ("'12.8'", "570.1", None),
        ("'12.8'", "470.2", "install driver 525.60 or newer, or torch for an older CUDA."),
        ("None", "470.2", None),
    ],
)
def test_a_driver_that_is_too_old_for_torch_is_told(
    made_for: str,
    driver: str,
    fix: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "version.py").write_text(f"debug = False\ncuda: Optional[str] = {made_for}\n")
    torch = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(model, "find_spec", lambda _: torch)
    monkeypatch.setattr(model, "gpus", lambda: (card(20, driver),))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0")
    with_memory(monkeypatch)
    fixes = [it.fix for it in has(tmp_path) if it.status is Status.WRONG]
    assert fixes == ([] if fix is None else [fix])


def test_a_card_whose_driver_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "PCI", tmp_path)
    for name, vendor, kind in (("a", "0x8086", "0x030000"), ("b", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    assert "driver" not in of_status(has(tmp_path), Status.WARNING)
    (tmp_path / "b" / "class").write_text("0x030200\n")
    assert "install NVIDIA's driver" in of_status(has(tmp_path), Status.WARNING)


def test_the_drivers_tool_is_asked_for_the_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 560.35, 23034, 22000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = model.gpus()
    assert (found.name, found.driver, found.free_bytes) == ("NVIDIA L4", "560.35", 22000 << 20)
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert model.gpus() == ()


def test_a_folders_weights_are_counted_once(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "x", a_safetensors=5, b_safetensors=6, c_bin=100)
    assert weight_bytes_in(folder) == 11
    assert Place.FOLDER in Place
