"""A model thinks before it answers only if it is told to, and its thoughts are never shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.backends.load import THINKING_TOKENS, load_model
from inference.models import chat_template
from inference.progress import StreamProgress
from inference.thinking import Thinking
from inference.types import Message, ModelSpec, Role, TextDelta
from tests.stepper import Stepper
from tests.tiny_models.qwen_vl import QWEN_TEMPLATE, qwen3_vl_thinking
from tests.tiny_models.tokenizers import qwen_tokenizer
from tests.unit.backends.fast_path import answer_of, asking, both_paths, user

CLOSED = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
QUESTION = Message(role=Role.USER, text="What is this?")


class Processor:
    """As little of one as a template needs."""

    def __init__(self, template: str) -> None:
        self.tokenizer = qwen_tokenizer("<think>", "</think>")
        self.chat_template = template


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose template opens thoughts before every answer."""
    return qwen3_vl_thinking(tmp_path_factory.mktemp("thinker"))


def test_thoughts_that_a_template_opens_are_closed_unless_the_model_is_to_think(
    thinker: Path,
) -> None:
    fast, plain = both_paths(thinker)
    prompt = fast.prompt_of(asking(user("What is this?"))).text
    assert prompt.endswith(CLOSED)
    assert plain._renderer.render((QUESTION,))[0] == prompt
    fast, plain = both_paths(thinker, thinking=True)
    prompt = fast.prompt_of(asking(user("What is this?"))).text
    assert prompt.endswith("<|im_start|>assistant\n<think>\n")
    assert plain._renderer.render((QUESTION,))[0] == prompt
    assert fast.model.sampling.max_new_tokens == THINKING_TOKENS


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
