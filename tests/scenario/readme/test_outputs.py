"""What the README shows below single commands is what they print.

Where a command needs a card or a model that a test cannot have, its sentences are compared.
"""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from bot.texts import say
from tests.project.fences import fences
from tests.scenario.command import llava_bot
from tests.scenario.readme.fresh_machine import ROOT, pattern_of

README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown_below(command: str) -> tuple[str, str]:
    """The block that begins with a command, and the one below it."""
    (found,) = (
        (typed.body, printed.body)
        for typed, printed in pairwise(fences(README))
        if typed.language == "sh" and typed.body.startswith(command)
    )
    return found


@pytest.mark.heavy
async def test_models_lists_what_the_readme_shows(tmp_path: Path) -> None:
    typed, printed = shown_below("llava-bot models")
    result = await llava_bot(*shlex.split(typed)[1:], data_dir=tmp_path)
    assert pattern_of(printed).fullmatch(result.out), result.out


def test_chat_greets_as_the_readme_shows() -> None:
    typed, printed = shown_below("llava-bot chat")
    arguments = dict(pairwise(shlex.split(typed)))
    *_, greeting, pictures, prompt = printed.splitlines()
    assert greeting == say("en", "terminal_greeting", model=arguments["--model-path"])
    assert pictures == say("en", "terminal_pictures", names=arguments["--image-file"])
    assert prompt == ">"
