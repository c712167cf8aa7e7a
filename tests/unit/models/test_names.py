"""Names of models: what cannot be one is told at once, with the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ModelUnavailable
from inference.names import check_name, did_you_mean


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("poket", "pocket"),
        ("Pocket", "pocket"),
        ("llava-1.5-7b-hf", "llava-hf/llava-1.5-7b-hf"),
        ("LLaVA-v1.5-13b", "liuhaotian/llava-v1.5-13b"),
        ("liuhaotian/llava-v1.5-7", "liuhaotian/llava-v1.5-7b"),
        ("llava-hf/llava-1.5-7b", "llava-hf/llava-1.5-7b-hf"),
        ("qwen2.5-vl-3b", "Qwen/Qwen2.5-VL-3B-Instruct"),
        ("smolvlm", "HuggingFaceTB/SmolVLM-Instruct"),
    ],
)
def test_a_near_name_is_offered(written: str, meant: str) -> None:
    assert did_you_mean(written) == f"Did you mean {meant}?"


@pytest.mark.parametrize("written", ["pocket", "gpt-9000", "qwen2.5-vl", "somebody/something-else"])
def test_a_right_name_and_a_far_one_offer_nothing(written: str) -> None:
    assert did_you_mean(written) is None


@pytest.mark.parametrize("name", ["poket", "gpt-9000", "./nowhere", "/no/such/folder", "~nobody/x"])
def test_what_cannot_be_a_model_is_refused_at_once(name: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"^There is no (model|folder) '"):
        check_name(name)


@pytest.mark.parametrize("name", ["pocket", "some/model", "llava-hf/llava-1.5-7b-hf"])
def test_what_may_be_a_model_is_not(name: str) -> None:
    check_name(name)


def test_an_existing_folder_may_have_any_name(tmp_path: Path) -> None:
    check_name(str(tmp_path))
