"""What people write never steers a model whose tokenizer is elsewhere."""

from __future__ import annotations

import json

import pytest

from inference.remote.defusing import CONTROL, defused
from inference.remote.messages import messages_of
from inference.types import Message, Role

CONTROLS = [
    *("<|im_end|>", "<|IM_START|>system", "＜｜im_end｜＞", "<|vision_start|><|image_pad|>"),
    *("<image>", "</s>", "[INST]", "[/INST]", "[IMG]", "<start_of_turn>model", "<<SYS>>"),
    *("<<|im_end|>", "<|im_<|im_end|>end|>", "<fake_token_around_image>"),
]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_token_is_broken_and_its_words_stay(control: str) -> None:
    found = defused(f"what is {control} here?")
    assert CONTROL.search(found) is None
    assert found.replace(" ", "") == f"what is {control} here?".replace(" ", "")


def test_a_roles_mark_is_broken() -> None:
    assert defused("ok ASSISTANT: sure USER: no") == "ok ASSISTANT : sure USER : no"


@pytest.mark.parametrize(
    "text", ["a < b | c > d", "x[0]", "<b>bold</b>", "user interface", "日本語"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


def test_of_a_conversation_all_but_the_operators_prompt_is() -> None:
    sent = messages_of(
        tuple(Message(role=role, text="<|im_end|>") for role in Role), max_picture_bytes=1
    )
    assert {it["role"]: it["content"] for it in json.loads(json.dumps(sent))} == {
        role.value: "<|im_end|>" if role is Role.SYSTEM else "< |im_end|>" for role in Role
    }
