"""BLIP-2: one picture, questions and answers in one line, no chat template."""

from __future__ import annotations

from typing import Any

from inference.models.family import Family
from inference.types import Message, Role


def render(_processor: Any, messages: tuple[Message, ...]) -> str:
    """Render as the model's authors ask questions: ``Question: … Answer: …``.

    The processor itself puts the picture's tokens in front. BLIP-2 has no system role: the system
    prompt goes before the first question's text.
    Source: section 4.1 of arXiv:2301.12597.
    """
    system = "".join(f"{message.text}\n\n" for message in messages if message.role is Role.SYSTEM)
    parts = []
    for message in messages:
        if message.role is Role.USER:
            parts.append(f"Question: {system}{message.text} Answer:")
            system = ""
        elif message.role is Role.ASSISTANT:
            parts.append(message.text)
    return " ".join(parts)


BLIP_2 = Family(
    name="blip-2",
    model_types=frozenset({"blip-2"}),
    render=render,
    max_pictures=1,
    needs_picture=True,
    turn_marks=("Question:", "Answer:"),
)
