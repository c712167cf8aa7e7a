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
