"""The fenced blocks of a document."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Fence(NamedTuple):
    """A block between two lines of ```, also within a list."""

    language: str
    body: str


def fences(text: str) -> list[Fence]:
    """Every fenced block, without its indentation."""
    return [Fence(language, textwrap.dedent(body)) for _, language, body in FENCE.findall(text)]


def without_fences(text: str) -> str:
    """What stands between the blocks."""
    return FENCE.sub("", text)


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section “{title}”"
    return found[1]
