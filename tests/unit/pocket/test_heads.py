"""The recipe of the heads goes on where it broke off, and keeps what it judges by from training."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from inference.pocket.efficientnet import NUM_FEATURES
from inference.pocket.recipe.heads import Gallery, is_held_out, prepare, train_heads
from inference.pocket.seeing.heads import Heads

CODES = ("1f34e", "1f34b")
PAINT = {"Apple": "red", "Lemon": "yellow"}


class Eye(nn.Module):
    """Stands for the eye: the mean colour, on and on."""

    looks = 0

    def features(self, views: Tensor) -> Tensor:
        self.looks += len(views)
        mean = views.mean((2, 3))
        return mean.repeat(1, NUM_FEATURES // 3 + 1)[:, :NUM_FEATURES, None, None]


@pytest.fixture
def more(tmp_path: Path) -> Path:
    things = [{"emoji": code} for code in CODES] + [{"grocery": kind} for kind in PAINT]
    path = tmp_path / "more.json"
    path.write_text(json.dumps({"things": things}))
    return path


@pytest.fixture
def pictures(tmp_path: Path, more: Path) -> Path:
    packages = {}
    for artist in ("google", "twitter", "fluent"):
        packages[artist] = tmp_path / "packages" / artist
        packages[artist].mkdir(parents=True)
        for code, colour in zip(CODES, PAINT.values(), strict=True):
            Image.new("RGBA", (72, 72), colour).save(packages[artist] / f"{code}.png")
    for kind, colour in PAINT.items():
        folder = tmp_path / "photos" / "fruit" / kind
        folder.mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (40, 60), colour).save(folder / f"{kind}_{number}.jpg")
    out = tmp_path / "pictures"
    assert prepare(packages, tmp_path / "photos", more, out) == 6 + 24
    return out


def test_a_second_run_looks_at_nothing_again(pictures: Path, more: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    eye = Eye()
    out = tmp_path / "heads.safetensors"
    first = train_heads(Gallery(eye, pictures, work, more), out, io.StringIO())  # type: ignore[arg-type]
    looks = eye.looks
    assert looks == 6 + 24
    kept = sum(is_held_out(path.name) for path in (tmp_path / "photos").rglob("*.jpg"))
    assert first["groceries held out: number"] == kept > 0
    (work / "kept-00000.safetensors").unlink()
    again = train_heads(Gallery(eye, pictures, work, more), out, io.StringIO())  # type: ignore[arg-type]
    assert eye.looks == looks + kept
    assert again == first


def test_colours_that_differ_are_told_apart(pictures: Path, more: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    out = tmp_path / "heads.safetensors"
    figures = train_heads(Gallery(Eye(), pictures, work, more), out, io.StringIO())  # type: ignore[arg-type]
    assert figures["groceries held out: right"] == 1.0


def test_heads_give_probabilities() -> None:
    said = Heads(5, 3).of_emoji(torch.zeros(2, NUM_FEATURES))
    assert torch.allclose(said.sum(-1), torch.ones(2))
