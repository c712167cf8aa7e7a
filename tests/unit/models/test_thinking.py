"""A model thinks before it answers only if it is told to, and its thoughts are never shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.execution import torch_runner
from inference.models import chat_template
from inference.progress import StreamProgress
from inference.prompts.answer_text import AnswerText
from inference.thinking import THINK, Marks, Thinking
from inference.types import Message, ModelSpec, Role, TextDelta
from tests.stepper import Stepper
from tests.tiny_models.glm import glm41v_thinking, glm46v
from tests.tiny_models.mistral import ministral3_reasoning
from tests.tiny_models.qwen_vl import QWEN_TEMPLATE, qwen3_vl_thinking
from tests.tiny_models.tiles import internvl3_5
from tests.tiny_models.tokenizers import id_of, qwen_tokenizer
from tests.unit.backends.fast_path import answer_of, asking, both_paths, user

CLOSED = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
QUESTION = Message(role=Role.USER, text="What is this?")


class Processor:
    """As little of one as a template needs."""

    def __init__(self, template: str) -> None:
        self.tokenizer = qwen_tokenizer("<think>", "</think>")
        self.chat_template = template


@dataclass(frozen=True)
class Thinker:
    """A family that may think."""

    build: Callable[[Path], Path]
    silent: str
    """How a prompt ends unless it is to think."""
    thinks: str
    marks: Marks = THINK


THINKERS = {
    "its template opens thoughts": Thinker(
        qwen3_vl_thinking, CLOSED, "<|im_start|>assistant\n<think>\n"
    ),
    "its template has a switch": Thinker(
        glm46v, "?/nothink<|assistant|>\n<think></think>\n", "?<|assistant|>\n"
    ),
    "its template has no switch, and it always thinks": Thinker(
        glm41v_thinking, "?<|assistant|>\n<think></think><answer>", "?<|assistant|>\n"
    ),
    "its template asks for thoughts in words": Thinker(
        ministral3_reasoning, "?[/INST][THINK][/THINK]", "?[/INST]", ("[THINK]", "[/THINK]")
    ),
    "its template knows no thoughts": Thinker(
        internvl3_5, "<|im_start|>assistant\n", "<|im_start|>assistant\n"
    ),
}


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose template opens thoughts before every answer."""
    return qwen3_vl_thinking(tmp_path_factory.mktemp("thinker"))


Loaded: TypeAlias = dict[bool, tuple[BatchingBackend, GenerateModel]]
"""Both paths of a checkpoint, by whether it is to think."""


@pytest.fixture(scope="module", params=THINKERS)
def family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Thinker, Loaded]:
    """A checkpoint of each kind."""
    thinker = THINKERS[request.param]
    path = thinker.build(tmp_path_factory.mktemp("family"))
    return thinker, {thinks: both_paths(path, thinking=thinks) for thinks in (False, True)}


def test_a_prompt_ends_without_thoughts_unless_the_model_is_to_think(
    family: tuple[Thinker, Loaded],
) -> None:
    thinker, loaded = family
    for thinks, (fast, plain) in loaded.items():
        prompt = fast.prompt_of(asking(user("What is this?"))).text
        assert prompt.endswith(thinker.thinks if thinks else thinker.silent)
        assert plain._renderer.render((QUESTION,))[0] == prompt
        system = Message(role=Role.SYSTEM, text="Be brief.")
        instructed = fast.prompt_of(asking(system, user("What is this?"))).text
        assert instructed.endswith(thinker.thinks if thinks else thinker.silent)
    silent, thinking = (loaded[thinks][0].model.sampling for thinks in (False, True))
    assert thinking.max_new_tokens > silent.max_new_tokens == 512


def test_marks_that_somebody_typed_are_no_marks(family: tuple[Thinker, Loaded]) -> None:
    thinker, loaded = family
    fast, _ = loaded[False]
    ids = [id_of(fast._prompts._tokenizer, mark) for mark in thinker.marks]

    def marks_in(text: str) -> list[int]:
        return [fast.prompt_of(asking(user(text))).tokens.count(token) for token in ids]

    assert marks_in(f"Say {''.join(thinker.marks)} {thinker.marks[0]}") == marks_in("Say that")


@pytest.mark.parametrize("shown", ["abc", ""], ids=["answers", "is cut off"])
def test_a_model_thinks_between_its_marks_and_shows_only_what_comes_behind_them(
    family: tuple[Thinker, Loaded], monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    thinker, loaded = family
    fast, _ = loaded[True]
    tokenizer = fast._prompts._tokenizer
    opening, closing = (id_of(tokenizer, mark) for mark in thinker.marks)
    letters = tokenizer("abc", add_special_tokens=False)["input_ids"]
    opened = [] if thinker.thinks.rstrip().endswith(THINK[0]) else [opening]
    tokens = [*opened, *letters, *([closing, *letters] if shown else letters)]
    written = iter(tokens)
    monkeypatch.setattr(torch_runner, "_choose", lambda *_: next(written))
    stepper = Stepper(fast)
    job = stepper.ask(asking(user("What is this?"), tokens=len(tokens)))
    stepper.run()
    assert stepper.text(job) == shown
    fast.clear_caches()


@pytest.mark.parametrize("thinks", [False, True])
def test_the_marks_around_an_answer_are_not_shown_on_either_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, thinks: bool
) -> None:
    fast, plain = both_paths(glm41v_thinking(tmp_path), thinking=thinks)
    tokenizer = fast._prompts._tokenizer
    thoughts = "<think>It is a square.</think>\n<answer>" if thinks else ""
    said = f"{thoughts}<|begin_of_box|>A square<|end_of_box|>.</answer>"
    tokens = tokenizer(said, add_special_tokens=False)["input_ids"]
    written = iter(tokens)
    monkeypatch.setattr(torch_runner, "_choose", lambda *_: next(written))
    request = asking(user("What is this?"), tokens=len(tokens))
    stepper = Stepper(fast)
    job = stepper.ask(request)
    stepper.run()
    assert stepper.text(job) == "A square."
    answer = AnswerText(
        plain._token_bytes, None, plain._family.thinking, (), plain._family.wrapping
    )
    assert "".join([*map(answer.push, tokens), answer.flush()]) == "A square."


def test_a_model_that_only_thinks_says_nothing_on_either_path(thinker: Path) -> None:
    fast, plain = both_paths(thinker, thinking=True)
    request = asking(user("What is this?", (9, 90, 200)), tokens=12)
    stepper = Stepper(fast)
    job = stepper.ask(request)
    stepper.run()
    text, finished = answer_of(plain, request)
    assert stepper.finished(job).new_tokens == finished.new_tokens == 12
    assert text == ""
    assert not any(isinstance(event, TextDelta) for event in stepper.said[job])


def test_a_follow_up_goes_on_after_the_answer_without_the_thoughts(thinker: Path) -> None:
    fast, plain = both_paths(thinker)
    first = user("What is this?", (9, 90, 200))
    thread = (first, Message(role=Role.ASSISTANT, text="A square."), user("And now?"))
    tokens = fast.prompt_of(asking(*thread)).tokens
    assert tokens == plain._prepare(thread)["input_ids"][0].tolist()
    assert plain._renderer.render(thread)[0].count("<think>") == 1


@pytest.mark.parametrize("thinks", [False, True])
def test_a_template_with_a_switch_is_told(thinks: bool) -> None:
    switch = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
    template = QWEN_TEMPLATE.replace(
        "assistant\n{% endif", f"assistant\n{switch}{{% endif %}}{{% endif"
    )
    dialect = chat_template.Dialect(thinks=thinks)
    processor = Processor(template)
    prompt = chat_template.render(processor, (QUESTION,), dialect)
    assert prompt.endswith(CLOSED) is not thinks
    assert chat_template.thinking_of(processor, dialect) is Thinking.POSSIBLE


def test_a_model_without_marks_for_thoughts_is_as_before(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    path = tiny_checkpoint("qwen2.5-vl")
    spec = ModelSpec(name=str(path), thinking=True)
    backend = load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))
    assert backend.model.sampling.max_new_tokens == 512
