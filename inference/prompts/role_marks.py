"""The words by which a prompt tells its roles apart, where they are plain text.

``USER: … ASSISTANT: …`` names its roles in words that anybody can type. ``<|im_start|>user`` does
not: its role is opened by a control token, and the word alone opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from inference.types import Message, Picture, Role

MAX_MARK_CHARS = 64
"""Longer lines between two messages are no names of roles: a system prompt, a date."""
LABEL = re.compile(r"(?=.*\w)(?=.*[^\w\s]|.*_.*_)|[^\w\s]{2,}", re.DOTALL)
"""``USER:``, ``[INST]``, ``###``; not ``user`` nor ``the``."""

_SYSTEM, _QUESTION, _ANSWER, _NEXT = WORDS = ("Wordnull", "Wordeins", "Wordzwei", "Worddrei")
_PICTURE = Picture(digest="", data=b"", width_px=1, height_px=1)
_CONVERSATION = (
    Message(role=Role.SYSTEM, text=_SYSTEM),
    Message(role=Role.USER, text=_QUESTION, pictures=(_PICTURE,)),
    Message(role=Role.ASSISTANT, text=_ANSWER),
    Message(role=Role.USER, text=_NEXT),
)


def role_marks(
    render: Callable[[tuple[Message, ...]], str], control_tokens: Iterable[str]
) -> tuple[str, ...]:
    """Return the marks of a prompt format that people could type, each stripped.

    Args:
        render: renders a conversation, whose system prompt need not stand first.
        control_tokens: which no typed text becomes.
    """
    prompt = render(_CONVERSATION)
    tokens = "|".join(map(re.escape, sorted(control_tokens, key=len, reverse=True)))
    marks: dict[str, None] = {}
    for index, between in enumerate(re.split("|".join(WORDS), prompt)):
        pieces = re.split(tokens, between) if tokens else [between]
        lines = [line.strip() for piece in pieces for line in piece.splitlines()]
        lines = [line for line in lines if line]
        if index == 0:
            lines = lines[-1:]  # what stands above is the template's own system prompt
        for line in lines:
            if len(line) <= MAX_MARK_CHARS and (len(pieces) == 1 or LABEL.match(line)):
                marks[line] = None
    return tuple(marks)
