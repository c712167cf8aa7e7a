"""What a checkpoint is, is found out before its weights fill memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForImageTextToText

from inference.backends.load import load_model, load_weights
from inference.errors import ModelUnavailable
from inference.progress import StreamProgress
from inference.serving.backend import Backend, run_inline
from inference.types import (
    GenerationRequest,
    Message,
    ModelSpec,
    Quantization,
    Role,
    Sampling,
    TextDelta,
)
from tests.pictures import plain_picture
from tests.tiny_models import TINY_MODELS

PROJECTOR = "multi_modal_projector"


def copied(checkpoint: Path, folder: Path) -> Path:
    """A checkpoint that a test may spoil."""
    for file in checkpoint.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def change_tensors(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    change(settings)
    file.write_text(json.dumps(settings))


def without(part: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


def load(folder: Path, **options: Any) -> tuple[Backend, str]:
    """A loaded model, and what was said meanwhile."""
    said = io.StringIO()
    spec = ModelSpec(name=str(folder), **options)
    return load_model(spec, cache_dir=folder, progress=StreamProgress(said)), said.getvalue()


def answer(backend: Backend) -> str:
    question = Message(role=Role.USER, text="What is this?", pictures=(plain_picture(),))
    request = GenerationRequest(
        messages=(question,), sampling=Sampling(temperature=0.0, max_new_tokens=12)
    )
    chunks = run_inline(backend, request)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


# -- incomplete ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", TINY_MODELS)
def test_a_checkpoint_that_lacks_one_tensor_is_refused_and_the_tensor_named(
    family: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint(family), tmp_path)
    change_tensors(folder, without("layers.1.self_attn.q_proj.weight"))
    with pytest.raises(
        ModelUnavailable, match=r"incomplete: 1 of \d+ tensors|2 of \d+ tensors"
    ) as e:
        load(folder)
    assert "layers.1.self_attn.q_proj.weight" in str(e.value)
    assert "Download it again, or set MODEL to another one." in str(e.value)


def test_a_checkpoint_without_its_projector_is_refused(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    change_tensors(folder, without(PROJECTOR))
    with pytest.raises(ModelUnavailable, match=r"incomplete: 4 of \d+ tensors are missing") as e:
        load(folder)
    assert f"{PROJECTOR}.linear_1.bias" in str(e.value)
    assert str(e.value).count("linear") == 3  # the first names, not all
    assert "…" in str(e.value)


def test_what_the_loader_itself_misses_is_refused_too(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    change_tensors(folder, without(PROJECTOR))
    monkeypatch.setattr("inference.backends.load.check_tensors", lambda *_, **__: None)
    with pytest.raises(ModelUnavailable, match="incomplete: 4 of"):
        load(folder)


def test_a_pickled_checkpoint_that_lacks_tensors_is_refused(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = pickled(copied(tiny_checkpoint("llava-1.5"), tmp_path), without(PROJECTOR))
    with pytest.raises(ModelUnavailable, match="incomplete: 4 of"):
        load(folder)


def test_a_checkpoint_that_lacks_one_of_its_files_is_refused_and_the_file_named(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = sharded(tiny_checkpoint("llava-1.5"), tmp_path)
    shards = sorted(folder.glob("*.safetensors"))
    shards[1].unlink()
    with pytest.raises(ModelUnavailable, match=f"1 of {len(shards)} files are missing") as e:
        load(folder)
    assert shards[1].name in str(e.value)


def test_a_pointer_of_git_lfs_is_called_one(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    (folder / "model.safetensors").write_text(pointer)
    with pytest.raises(ModelUnavailable, match="Run 'git lfs pull' in its folder"):
        load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_download_that_broke_off_is_called_damaged(
    name: str, share: float, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    if name.endswith(".bin"):
        pickled(folder, lambda tensors: tensors)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelUnavailable, match="are damaged"):
        load(folder)


# -- foreign ------------------------------------------------------------------------------------


def test_shapes_that_the_config_does_not_describe_are_refused(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    change_config(folder, lambda settings: settings["text_config"].update(intermediate_size=128))
    with pytest.raises(
        ModelUnavailable, match=r"do not fit its config.json: 6 of \d+ tensors"
    ) as e:
        load(folder)
    assert "[64, 64] instead of [64, 128]" in str(e.value)


@pytest.mark.parametrize("family", ["llava-1.5", "llava-next", "llava-onevision"])
def test_a_config_without_a_language_model_does_not_build_one_of_7b(
    family: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint(family), tmp_path)
    change_config(folder, lambda settings: settings.pop("text_config"))
    with pytest.raises(ModelUnavailable, match=r"It does not describe text_config\."):
        load(folder)


def test_a_checkpoint_is_refused_before_its_model_is_built_in_memory(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    huge = {"hidden_size": 16_384, "intermediate_size": 65_536, "num_hidden_layers": 40}
    change_config(folder, lambda settings: settings["text_config"].update(huge))  # 700 GB
    with pytest.raises(ModelUnavailable, match="are missing"):
        load(folder)


ORIGINAL_CONFIGS: dict[str, dict[str, Any]] = {
    "v0": {"model_type": "llava", "architectures": ["LlavaLlamaForCausalLM"], "hidden_size": 4096},
    "v1": {"model_type": "llava", "mm_vision_tower": "openai/clip-vit-large-patch14"},
    "v1.5": {"model_type": "llava_llama", "mm_projector_type": "mlp2x_gelu"},
    "v1.6": {"model_type": "llava_mistral", "architectures": ["LlavaMistralForCausalLM"]},
    "onevision": {"model_type": "llava", "architectures": ["LlavaQwenForCausalLM"]},
}


@pytest.mark.parametrize("version", ORIGINAL_CONFIGS)
def test_the_layout_of_llavas_own_code_is_called_that(version: str, tmp_path: Path) -> None:
    folder = tmp_path / "llava-v1.6-mistral-7b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(ORIGINAL_CONFIGS[version]))
    save_file({"model.mm_projector.0.weight": torch.zeros(2, 2)}, folder / "model.safetensors")
    with pytest.raises(ModelUnavailable, match="in the layout of LLaVA's own code") as e:
        load(folder)
    assert "set MODEL to a converted checkpoint" in str(e.value)
    assert "llava-hf/llava-v1.6-mistral-7b-hf" in str(e.value)


@pytest.mark.parametrize(
    ("name", "converted"),
    [
        ("InternVL3-38B", "OpenGVLab/InternVL3-38B-hf"),
        ("InternVL3_5-30B-A3B-Instruct", "OpenGVLab/InternVL3_5-30B-A3B-HF"),
        ("my-fine-tune", "OpenGVLab/InternVL3_5-8B-HF"),
    ],
)
def test_the_layout_of_internvls_own_code_is_called_that(
    name: str, converted: str, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    settings = {"model_type": "internvl_chat", "architectures": ["InternVLChatModel"]}
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelUnavailable, match="in the layout of InternVL's own code") as e:
        load(folder)
    assert str(e.value).endswith(f"for example {converted}.")


def test_original_tensors_under_a_converted_config_are_called_that(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    change_tensors(
        folder,
        lambda tensors: {
            name.replace(f"{PROJECTOR}.linear_1", "model.mm_projector.0"): value
            for name, value in tensors.items()
        },
    )
    with pytest.raises(ModelUnavailable, match="in the layout of LLaVA's own code"):
        load(folder)


def test_the_weights_of_another_architecture_are_refused(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    other = tiny_checkpoint("qwen2.5-vl") / "model.safetensors"
    (folder / "model.safetensors").write_bytes(other.read_bytes())
    with pytest.raises(ModelUnavailable, match="tensors"):
        load(folder)


# -- what is none of this -----------------------------------------------------------------------


def test_old_and_new_names_of_tensors_give_the_same_answer(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    old = tiny_checkpoint("llava-1.5")
    names = load_file(old / "model.safetensors")
    assert "language_model.model.embed_tokens.weight" in names  # as the hub's checkpoints have it
    new = copied(old, tmp_path)
    change_tensors(new, lambda tensors: {_new_name(name): t for name, t in tensors.items()})
    assert "model.language_model.embed_tokens.weight" in load_file(new / "model.safetensors")
    backends = [load(folder, engine="transformers")[0] for folder in (old, new)]
    assert answer(backends[0]) == answer(backends[1]) != ""


def _new_name(name: str) -> str:
    if name.startswith("language_model.lm_head"):
        return name.removeprefix("language_model.")
    return "model." + name.replace("language_model.model.", "language_model.")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_tensors_of_another_type_are_taken(
    dtype: torch.dtype, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    change_tensors(folder, lambda tensors: {name: t.to(dtype) for name, t in tensors.items()})
    backend, _ = load(folder)
    assert backend.model.weights == "float32"


def test_a_checkpoint_in_several_files_is_taken(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = tiny_checkpoint("llava-1.5")
    in_files = sharded(whole, tmp_path)
    assert len(list(in_files.glob("*.safetensors"))) > 2
    assert answer(load(in_files)[0]) == answer(load(whole)[0])


def test_a_pickled_checkpoint_is_taken(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = pickled(copied(tiny_checkpoint("llava-1.5"), tmp_path), lambda tensors: tensors)
    assert load(folder)[0].model.family == "llava-1.5"


def test_a_head_that_is_tied_to_the_embedding_is_not_missing(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-onevision"), tmp_path)
    change_tensors(folder, without("lm_head"))
    with pytest.raises(ModelUnavailable, match="lm_head"):
        load(folder)

    def tie(settings: dict[str, Any]) -> None:
        settings["tie_word_embeddings"] = settings["text_config"]["tie_word_embeddings"] = True

    change_config(folder, tie)
    assert load(folder)[0].model.family == "llava-onevision"


def test_a_head_of_the_tower_that_no_answer_reads_is_not_missing(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-onevision"), tmp_path)
    assert not any(".head." in name for name in load_file(folder / "model.safetensors"))
    change_config(folder, lambda settings: settings["vision_config"].update(vision_use_head=True))
    load(folder)


def test_tensors_that_nothing_uses_are_named_in_one_line(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    change_tensors(folder, lambda tensors: {**tensors, "training.steps": torch.zeros(1)})
    _, said = load(folder)
    assert "1 tensors of its files are not used (training.steps)." in said
    _, said = load(tiny_checkpoint("llava-1.5"))
    assert "not used" not in said


# -- in few bits already ------------------------------------------------------------------------


@pytest.mark.parametrize("held", ["nf4", "int8"])
def test_weights_in_few_bits_are_named_as_they_are_held(
    held: Quantization, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = quantised(tiny_checkpoint("llava-1.5"), tmp_path, held)
    backend, said = load(folder)
    assert backend.model.weights == held
    assert "no effect" not in said
    assert "not used" not in said
    assert answer(backend)
    backend, said = load(folder, quantize=held)
    assert backend.model.weights == held
    assert "no effect" not in said


def test_a_setting_that_contradicts_the_checkpoint_is_said_to_have_no_effect(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = quantised(tiny_checkpoint("llava-1.5"), tmp_path, "nf4")
    backend, said = load(folder, quantize="int8")
    assert backend.model.weights == "nf4"
    assert "QUANTIZE=int8 has no effect: its weights are in few bits already (nf4)." in said


def test_dequantized_weights_are_reported_as_whole(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(tiny_checkpoint("llava-1.5"), tmp_path)
    origin = {"quant_method": "gguf", "gguf_file": "decoder.gguf", "dequantize": False}
    change_config(
        folder, lambda settings: settings["text_config"].update(quantization_config=origin)
    )
    assert load(folder)[0].model.weights == "float32"


@pytest.mark.parametrize("part", [PROJECTOR, "layers.1.self_attn.q_proj"])
def test_weights_in_few_bits_that_lack_tensors_are_refused(
    part: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = quantised(tiny_checkpoint("llava-1.5"), tmp_path, "nf4")
    change_tensors(folder, without(part))
    with pytest.raises(ModelUnavailable, match="are incomplete"):
        load(folder)


# -- made by the tests --------------------------------------------------------------------------


def sharded(checkpoint: Path, folder: Path) -> Path:
    copied(checkpoint, folder)
    (folder / "model.safetensors").unlink()
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    model.save_pretrained(folder, max_shard_size="200KB")
    return folder


def pickled(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    file = folder / "model.safetensors"
    torch.save(change(load_file(file)), folder / "pytorch_model.bin")
    file.unlink()
    return folder


def quantised(checkpoint: Path, folder: Path, quantize: Quantization) -> Path:
    """The checkpoint as bitsandbytes stores it."""
    copied(checkpoint, folder)
    spec = ModelSpec(name=str(checkpoint), quantize=quantize, engine="transformers")
    loaded = load_weights(spec, cache_dir=folder, progress=StreamProgress(io.StringIO()))
    loaded.weights.save_pretrained(folder)
    return folder
