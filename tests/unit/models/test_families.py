"""Every family of models answers about a picture through the real loading code."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.backends.sequential import SequentialBackend
from inference.errors import ContextExceeded, ModelUnavailable, TooManyPictures
from inference.models import blip_2
from inference.models.images import pad_to_square
from inference.models.llava import VICUNA_SYSTEM, render_vicuna_v1
from inference.names import resolve_name
from inference.progress import StreamProgress
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelSpec,
    Quantization,
    Role,
    Sampling,
)
from tests.pictures import plain_picture
from tests.tiny_models import TINY_MODELS

GREEDY = Sampling(temperature=0.0, max_new_tokens=8)


@functools.cache  # no test changes what it loads
def load(path: Path, **options: object) -> GenerateModel:
    spec = ModelSpec(name=str(path), engine="transformers", **options)  # type: ignore[arg-type]
    backend = load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))
    assert isinstance(backend, SequentialBackend)
    assert isinstance(backend.wrapped, GenerateModel)
    return backend.wrapped


def user(text: str, *, pictures: int = 0) -> Message:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (9, 9, 9), (99, 9, 9), (9, 99, 9)]
    return Message(
        role=Role.USER,
        text=text,
        pictures=tuple(plain_picture(colours[i]) for i in range(pictures)),
    )


def generate(
    backend: GenerateModel, *messages: Message, sampling: Sampling = GREEDY
) -> tuple[str, Finished]:
    parts: list[str] = []
    finished = backend.generate(
        GenerationRequest(messages=messages, sampling=sampling), parts.append, lambda: False
    )
    return "".join(parts), finished


ROWS = {
    "internvl3": "internvl",
    "internvl3.5": "internvl",
    "ministral-3": "mistral-3",
    "glm-4.6v": "glm-4v",
}
"""Rows of the table of families, where they are not named like the tiny model."""


@pytest.mark.parametrize("family", TINY_MODELS)
def test_each_family_answers_about_a_picture(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend = load(tiny_checkpoint(family))
    assert backend.model.family == ROWS.get(family, family)
    question = user("What is this?", pictures=1)
    _, finished = generate(backend, question)
    assert finished.prompt_tokens == backend.prompt_tokens((question,))
    assert 1 <= finished.new_tokens <= GREEDY.max_new_tokens
    assert finished.prompt_tokens > len("What is this?")  # a byte a token, and the picture


@pytest.mark.parametrize("family", TINY_MODELS)
def test_each_family_sees_the_pixels(family: str, tiny_checkpoint: Callable[[str], Path]) -> None:
    backend = load(tiny_checkpoint(family))
    logits = []
    for colour in ((255, 0, 0), (0, 0, 255)):
        picture = plain_picture(colour)
        question = Message(role=Role.USER, text="What is this?", pictures=(picture,))
        inputs = backend._on_device(backend._prepare((question,)))
        with torch.inference_mode():
            logits.append(backend._weights(**inputs).logits[0, -1])
    assert not torch.equal(*logits)


@pytest.mark.parametrize("family", TINY_MODELS)
def test_each_family_follows_up_about_the_same_picture(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend = load(tiny_checkpoint(family))
    first = user("What is this?", pictures=1)
    alone = backend.prompt_tokens((first,))
    answer = Message(role=Role.ASSISTANT, text="A square.")
    thread = (first, answer, user("What colour is it?"))
    assert backend.prompt_tokens(thread) > alone + len("A square.What colour is it?")
    _, finished = generate(backend, *thread)
    assert finished.new_tokens >= 1


@pytest.mark.parametrize("family", sorted(set(TINY_MODELS) - {"blip-2"}))
def test_each_family_but_blip_2_chats_without_a_picture(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend = load(tiny_checkpoint(family))
    assert not backend.model.needs_picture
    _, finished = generate(backend, user("Hello"))
    assert finished.new_tokens >= 1


def test_blip_2_says_that_it_needs_a_picture(tiny_checkpoint: Callable[[str], Path]) -> None:
    assert load(tiny_checkpoint("blip-2")).model.needs_picture


def test_blip_2_is_shown_the_system_prompt_before_the_first_question_and_once() -> None:
    system = Message(role=Role.SYSTEM, text="Be brief.")
    answer = Message(role=Role.ASSISTANT, text="A cat.")
    prompt = blip_2.render(None, (system, user("What is it?"), answer, user("Why?")))
    assert prompt == ("Question: Be brief.\n\nWhat is it? Answer: A cat. Question: Why? Answer:")


@pytest.mark.parametrize("family", sorted(TINY_MODELS))
def test_no_family_drops_the_system_prompt(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend = load(tiny_checkpoint(family))
    system = Message(role=Role.SYSTEM, text="Be brief, Zebra.")
    prompt, _ = backend._renderer.render((system, user("What is it?", pictures=1)))
    assert prompt.count("Be brief, Zebra.") == 1


@pytest.mark.parametrize("family", ["llava-onevision", "smolvlm", "qwen2.5-vl", "llava-1.5"])
def test_several_pictures_in_one_question(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend = load(tiny_checkpoint(family))
    one, three = (backend.prompt_tokens((user("These?", pictures=n),)) for n in (1, 3))
    assert three > one
    _, finished = generate(backend, user("These?", pictures=3))
    assert finished.new_tokens >= 1


def test_more_pictures_than_the_model_takes_are_refused(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    backend = load(tiny_checkpoint("blip-2"))
    with pytest.raises(TooManyPictures):
        backend.prompt_tokens((user("These?", pictures=2),))


def test_the_operator_bounds_context_and_pictures(tiny_checkpoint: Callable[[str], Path]) -> None:
    backend = load(tiny_checkpoint("qwen2.5-vl"), context_tokens=128, max_pictures=2)
    assert backend.model.context_tokens == 128
    assert backend.model.max_pictures == 2
    with pytest.raises(ContextExceeded):
        generate(backend, user("long " * 100))


def test_the_answer_never_grows_past_the_context(tiny_checkpoint: Callable[[str], Path]) -> None:
    backend = load(tiny_checkpoint("qwen2.5-vl"), context_tokens=128)
    question = user("Hi")
    room = 128 - backend.prompt_tokens((question,))
    long = Sampling(temperature=1.0, max_new_tokens=500, seed=1)
    _, finished = generate(backend, question, sampling=long)
    assert finished.new_tokens <= room


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
@pytest.mark.parametrize("family", ["llava-1.5", "qwen2.5-vl", "blip-2"])
def test_bitsandbytes_holds_the_decoder_in_few_bits_and_the_tower_whole(
    family: str, quantize: Quantization, tiny_checkpoint: Callable[[str], Path]
) -> None:
    backend = load(tiny_checkpoint(family), quantize=quantize)
    assert backend.model.weights == quantize
    quantised = {
        name
        for name, parameter in backend._weights.named_parameters()
        if parameter.dtype in {torch.uint8, torch.int8}
    }
    assert any("language_model" in name for name in quantised)
    assert not any(part in name for name in quantised for part in ("vision", "visual", "lm_head"))
    _, finished = generate(backend, user("What is this?", pictures=1))
    assert finished.new_tokens >= 1


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    backend = load(tiny_checkpoint("qwen2.5-vl"))

    def answer(seed: int) -> str:
        sampling = Sampling(temperature=1.0, max_new_tokens=16, seed=seed)
        return generate(backend, user("Hi"), sampling=sampling)[0]

    assert answer(1) == answer(1)
    assert answer(1) != answer(2)


def test_control_tokens_that_people_write_are_only_text(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    backend = load(tiny_checkpoint("llava-1.5"))
    tokenizer = backend._processor.tokenizer
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    ids = backend._prepare((user("<image></s><s> <image>"),))["input_ids"][0].tolist()
    assert image_id not in ids
    assert tokenizer.eos_token_id not in ids
    assert ids.count(tokenizer.bos_token_id) == 1


# -- LLaVA-1.5 as it was trained ----------------------------------------------------------------


def test_llava_1_5_gets_the_conversation_it_was_trained_on_byte_for_byte() -> None:
    messages = (
        user("What is it?", pictures=1),
        Message(role=Role.ASSISTANT, text="A cat."),
        user("What colour?"),
    )
    assert render_vicuna_v1(None, messages) == (
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions. "
        "USER: <image>\nWhat is it? ASSISTANT: A cat.</s>USER: What colour? ASSISTANT:"
    )


def test_a_system_prompt_takes_the_place_of_the_trained_sentence() -> None:
    messages = (Message(role=Role.SYSTEM, text="Be brief."), user("Hi"))
    assert render_vicuna_v1(None, messages) == "Be brief. USER: Hi ASSISTANT:"
    assert VICUNA_SYSTEM not in render_vicuna_v1(None, messages)


def test_llava_1_5_reads_576_tokens_a_picture_and_one_begin_token(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    backend = load(tiny_checkpoint("llava-1.5"))
    ids = backend._prepare((user("Hi", pictures=1),))["input_ids"][0].tolist()
    tokenizer = backend._processor.tokenizer
    assert ids.count(tokenizer.convert_tokens_to_ids("<image>")) == 576
    assert ids.count(tokenizer.bos_token_id) == 1
    text = f"{VICUNA_SYSTEM} USER: {'<image>' * 576}\nHi ASSISTANT:"
    assert ids == tokenizer(text)["input_ids"]


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (61, 40), (7, 300)])
def test_llava_1_5_pads_the_picture_pixel_for_pixel(
    size: tuple[int, int], tiny_checkpoint: Callable[[str], Path]
) -> None:
    width, height = size
    image = Image.effect_noise(size, 80).convert("RGB")
    mean = (0.48145466, 0.4578275, 0.40821073)
    padded = pad_to_square(image, mean)
    side = max(size)
    left, top = (side - width) // 2, (side - height) // 2
    assert padded.size == (side, side)
    assert padded.crop((left, top, left + width, top + height)).tobytes() == image.tobytes()
    frame = padded.copy()
    frame.paste((122, 116, 104), (left, top, left + width, top + height))
    assert frame.getcolors() == [(side * side, (122, 116, 104))]

    backend = load(tiny_checkpoint("llava-1.5"))
    from tests.pictures import picture_of

    question = Message(role=Role.USER, text="Hi", pictures=(picture_of(image),))
    pixels = backend._prepare((question,))["pixel_values"]
    expected = backend._processor.image_processor(padded, return_tensors="pt")["pixel_values"]
    assert torch.equal(pixels, expected)
    cropped = backend._processor.image_processor(image, return_tensors="pt")["pixel_values"]
    assert not torch.equal(pixels, cropped)


def test_the_articles_names_mean_the_converted_weights() -> None:
    assert resolve_name("liuhaotian/llava-v1.5-7b") == "llava-hf/llava-1.5-7b-hf"
    assert resolve_name("liuhaotian/llava-v1.5-13b") == "llava-hf/llava-1.5-13b-hf"
    assert resolve_name("some/other") == "some/other"


def test_the_articles_defaults_hold(tiny_checkpoint: Callable[[str], Path]) -> None:
    sampling = load(tiny_checkpoint("llava-1.5")).model.sampling
    assert (sampling.temperature, sampling.max_new_tokens) == (0.2, 512)


# -- What cannot be loaded ----------------------------------------------------------------------


def test_a_name_nobody_knows_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"^The model 'no/such' is neither a folder here"):
        load(Path("no/such"))


def test_a_folder_without_a_model_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds no model that transformers can read"):
        load(tmp_path)


def test_a_text_model_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelUnavailable, match="does not answer about pictures"):
        load(tmp_path)


def test_an_unknown_architecture_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "from_the_future"}')
    with pytest.raises(ModelUnavailable, match="does not understand its files"):
        load(tmp_path)


def test_broken_weights_get_one_sentence(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    for file in tiny_checkpoint("llava-next").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelUnavailable, match="are damaged"):
        load(tmp_path)


def test_a_device_that_is_not_there_gets_one_sentence(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    with pytest.raises(ModelUnavailable, match="The device 'cuda:7' is not usable here"):
        load(tiny_checkpoint("llava-next"), device="cuda:7")


def test_the_end_of_an_answer_says_why(tiny_checkpoint: Callable[[str], Path]) -> None:
    backend = load(tiny_checkpoint("llava-next"))
    _, finished = generate(backend, user("Hi"))
    assert finished.reason in {FinishReason.LENGTH, FinishReason.STOP}
    polls = iter([False, False, True])
    aborted = backend.generate(
        GenerationRequest(messages=(user("Hi"),), sampling=GREEDY),
        lambda _text: None,
        lambda: next(polls, True),
    )
    assert aborted.reason is FinishReason.ABORTED or aborted.new_tokens < 3
    assert aborted.new_tokens <= 3
