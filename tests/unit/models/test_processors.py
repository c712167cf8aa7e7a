"""Settings that a checkpoint's processor omits come from the model's config."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from transformers import (
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaProcessor,
    SiglipImageProcessorPil,
    VipLlavaConfig,
)

from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.backends.sequential import SequentialBackend
from inference.errors import ModelUnavailable
from inference.models.processor import complete_processor
from inference.progress import StreamProgress
from inference.types import Message, ModelSpec, Role
from tests.pictures import plain_picture
from tests.tiny_models import LLAMA, TOWER, VICUNA_TEMPLATE, byte_tokenizer, id_of

Strategy = Literal["default", "full"]

SETTINGS = {
    "patch_size": 14,
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
}


def loaded(folder: Path) -> GenerateModel:
    """The model on the plain path; its first answer about a picture is given by then."""
    spec = ModelSpec(name=str(folder), engine="transformers")
    backend = load_model(spec, cache_dir=folder, progress=StreamProgress(io.StringIO()))
    assert isinstance(backend, SequentialBackend)
    assert isinstance(backend.wrapped, GenerateModel)
    return backend.wrapped


def picture_tokens(backend: GenerateModel) -> int:
    question = Message(role=Role.USER, text="Hi", pictures=(plain_picture(),))
    ids = backend._prepare((question,))["input_ids"][0].tolist()
    return ids.count(backend._weights.config.image_token_id)


def change(file: Path, settings: dict[str, Any]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


@pytest.fixture
def llava_1_5(tiny_checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    """A checkpoint that a test may spoil."""
    for file in tiny_checkpoint("llava-1.5").iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("left_out", [(), *((name,) for name in SETTINGS), tuple(SETTINGS)])
def test_a_picture_has_576_tokens_no_matter_what_the_processor_omits(
    left_out: tuple[str, ...], llava_1_5: Path
) -> None:
    said = {name: value for name, value in SETTINGS.items() if name not in left_out}
    file = llava_1_5 / "processor_config.json"
    settings = json.loads(file.read_text())
    for name in SETTINGS:
        settings.pop(name, None)
    file.write_text(json.dumps(settings | said))
    assert picture_tokens(loaded(llava_1_5)) == 576


@pytest.mark.parametrize(("strategy", "tokens"), [("full", 4), ("default", 3)])
def test_a_tower_without_a_class_token_makes_one_token_per_patch(
    strategy: Strategy, tokens: int, tmp_path: Path
) -> None:
    siglip_llava(tmp_path, vision_feature_select_strategy=strategy)
    assert picture_tokens(loaded(tmp_path)) == tokens


def test_an_architecture_that_always_omits_the_class_token_is_known() -> None:
    processor = clip_processor(28)
    config = VipLlavaConfig(
        vision_config=TOWER | {"model_type": "clip_vision_model", "image_size": 28},
        text_config=LLAMA,
        image_token_index=processor.image_token_id,
    )
    complete_processor(processor, config, name="vip")
    assert processor.vision_feature_select_strategy == "default"
    assert processor.num_additional_image_tokens == 1


@pytest.mark.parametrize("family", ["smolvlm", "idefics3", "internvl3"])
def test_a_tile_has_as_many_tokens_as_the_tower_makes_whatever_the_processor_says(
    family: str, tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    for file in tiny_checkpoint(family).iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    before = picture_tokens(loaded(tmp_path))
    assert before % 4 == 0
    file = tmp_path / "processor_config.json"
    settings = json.loads(file.read_text())
    for name in ("image_seq_len", "image_seq_length"):
        settings.pop(name, None)
    file.write_text(json.dumps(settings))
    assert picture_tokens(loaded(tmp_path)) == before


def test_pictures_are_resized_to_the_towers_input_size(llava_1_5: Path) -> None:
    small = {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
    file = llava_1_5 / "processor_config.json"
    settings = json.loads(file.read_text())
    settings["image_processor"] |= small
    file.write_text(json.dumps(settings))
    backend = loaded(llava_1_5)
    question = Message(role=Role.USER, text="Hi", pictures=(plain_picture(),))
    assert backend._prepare((question,))["pixel_values"].shape[-2:] == (336, 336)


def test_pictures_for_siglip_are_resized_to_the_towers_input_size(tmp_path: Path) -> None:
    siglip_llava(tmp_path, side=56)
    assert picture_tokens(loaded(tmp_path)) == 4


def test_a_pictures_placeholder_is_the_models_own_token(tmp_path: Path) -> None:
    siglip_llava(tmp_path, placeholder="<picture>")
    backend = loaded(tmp_path)
    assert backend._processor.image_token == "<picture>"
    assert picture_tokens(backend) == 4


def test_an_image_token_missing_from_the_tokenizer_is_refused(llava_1_5: Path) -> None:
    change(llava_1_5 / "config.json", {"image_token_index": 250})
    with pytest.raises(ModelUnavailable, match="token 250 stands for a picture, its tokenizer has"):
        loaded(llava_1_5)


def test_a_setting_missing_from_config_and_processor_is_refused_by_name() -> None:
    config = LlavaConfig(vision_config={"model_type": "resnet"}, text_config=LLAMA)
    with pytest.raises(ModelUnavailable, match="says what patch_size is: add it to processor_"):
        complete_processor(clip_processor(28), config, name="resnet")


# -- made by the tests --------------------------------------------------------------------------


def clip_processor(side: int) -> LlavaProcessor:
    """As old checkpoints have it: it says nothing about the tower."""
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        tokenizer=byte_tokenizer("<image>", bos=True),
        chat_template=VICUNA_TEMPLATE,
    )


def siglip_llava(
    folder: Path,
    *,
    side: int = 28,
    placeholder: str = "<image>",
    vision_feature_select_strategy: Strategy = "full",
) -> None:
    """A LLaVA whose tower has 2 × 2 patches and no class token; its processor says nothing of it.

    Args:
        folder: where it is saved.
        side: of the pictures that the processor makes; the tower reads 28 pixels.
        placeholder: what stands for a picture in the model.
        vision_feature_select_strategy: the model's.
    """
    tokenizer = byte_tokenizer(*{"<image>": None, placeholder: None}, bos=True)
    config = LlavaConfig(
        vision_config=TOWER | {"model_type": "siglip_vision_model", "image_size": 28},
        text_config=LLAMA | {"vocab_size": len(tokenizer)},
        image_token_index=id_of(tokenizer, placeholder),
        vision_feature_select_strategy=vision_feature_select_strategy,
    )
    model = AutoModelForImageTextToText.from_config(config)
    model.generation_config.pad_token_id = 2
    model.save_pretrained(folder)
    LlavaProcessor(
        image_processor=SiglipImageProcessorPil(size={"height": side, "width": side}),
        tokenizer=tokenizer,
        chat_template=VICUNA_TEMPLATE.replace("<image>", placeholder),
    ).save_pretrained(folder)
