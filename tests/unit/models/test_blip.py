"""BLIP: one describes pictures, one answers single questions; both run by the plain path."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering

from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.backends.sequential import SequentialBackend
from inference.errors import ModelUnavailable, TooManyPictures
from inference.progress import StreamProgress
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Limitation,
    Message,
    ModelSpec,
    Role,
    Sampling,
)
from tests.pictures import plain_picture
from tests.tiny_models.others import blip_caption, blip_vqa

PICTURE = plain_picture((200, 30, 30))
QUESTION = Message(role=Role.USER, text="What is this?", pictures=(PICTURE,))
BUILDERS = {"blip-caption": blip_caption, "blip-vqa": blip_vqa}


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], GenerateModel]:
    @functools.cache
    def loaded(family: str) -> GenerateModel:
        folder = BUILDERS[family](tmp_path_factory.mktemp(family))
        spec = ModelSpec(name=str(folder))
        backend = load_model(spec, cache_dir=folder, progress=StreamProgress(io.StringIO()))
        assert isinstance(backend, SequentialBackend)
        assert isinstance(backend.wrapped, GenerateModel)
        return backend.wrapped

    return loaded


def generate(model: GenerateModel, *messages: Message) -> tuple[str, Finished]:
    parts: list[str] = []
    sampling = Sampling(temperature=0.0, max_new_tokens=8)
    request = GenerationRequest(messages=messages, sampling=sampling)
    finished = model.generate(request, parts.append, lambda: False)
    return "".join(parts), finished


def reference(model: GenerateModel, **inputs: torch.Tensor) -> str:
    """What transformers' own example makes of it."""
    with torch.inference_mode():
        ids = model._weights.generate(**inputs, do_sample=False, max_new_tokens=8)
    text: str = model._processor.tokenizer.decode(ids[0], skip_special_tokens=True)
    return text


@pytest.mark.parametrize("family", BUILDERS)
def test_each_answers_as_transformers_example_does(
    family: str, load: Callable[[str], GenerateModel]
) -> None:
    model = load(family)
    assert model.model.family == family
    assert model.model.needs_picture
    text, finished = generate(model, QUESTION)
    image = model._family.picture_for(PICTURE, model._processor)
    asked = "What is this?" if family == "blip-vqa" else ""
    inputs = model._processor(images=image, text=asked, return_tensors="pt")
    assert text.strip() == reference(model, **inputs).strip() != ""
    assert 1 <= finished.new_tokens <= 8


def test_the_architecture_chooses_the_class(load: Callable[[str], GenerateModel]) -> None:
    captions, answers = load("blip-caption"), load("blip-vqa")
    assert isinstance(captions._weights, BlipForConditionalGeneration)
    assert isinstance(answers._weights, BlipForQuestionAnswering)
    assert captions.model.limitations == (Limitation.CAPTION_ONLY,)
    assert answers.model.limitations == (Limitation.FEW_WORDS,)
    assert answers.model.why_not_fast == "its architecture is blip"


def test_a_captioner_says_the_same_whatever_is_asked(load: Callable[[str], GenerateModel]) -> None:
    model = load("blip-caption")
    other = Message(role=Role.USER, text="Is it red?", pictures=(PICTURE,))
    assert generate(model, QUESTION)[0] == generate(model, other)[0]
    assert model.prompt_tokens((QUESTION,)) == model.prompt_tokens((other,)) == 2


def test_only_the_latest_question_is_put_with_the_threads_picture(
    load: Callable[[str], GenerateModel],
) -> None:
    model = load("blip-vqa")
    system = Message(role=Role.SYSTEM, text="Red.")
    answer = Message(role=Role.ASSISTANT, text="A cat.")
    later = Message(role=Role.USER, text="Is it red?")
    prompt, pictures = model._renderer.render((system, QUESTION, answer, later))
    assert prompt == "Red. Is it red?"
    assert pictures == (PICTURE,)
    assert generate(model, QUESTION, answer, later)[1].new_tokens >= 1
    with pytest.raises(TooManyPictures):
        generate(model, QUESTION, answer, QUESTION)


def test_an_answer_ends_at_berts_separator(load: Callable[[str], GenerateModel]) -> None:
    model = load("blip-vqa")
    head = model._weights.text_decoder.cls.predictions.bias
    separator = model._weights.config.text_config.sep_token_id
    before = head.data.clone()
    try:
        head.data[separator] = 1e4
        text, finished = generate(model, QUESTION)
    finally:
        head.data.copy_(before)
    assert (text, finished.reason, finished.new_tokens) == ("", FinishReason.STOP, 1)


def test_weights_of_the_other_kind_are_refused_before_memory_fills(tmp_path: Path) -> None:
    folder, other = blip_vqa(tmp_path / "vqa"), blip_caption(tmp_path / "caption")
    shutil.copy(other / "model.safetensors", folder)
    with pytest.raises(ModelUnavailable, match=r"incomplete: \d+ of \d+ tensors are missing"):
        load_model(
            ModelSpec(name=str(folder)),
            cache_dir=tmp_path,
            progress=StreamProgress(io.StringIO()),
        )
