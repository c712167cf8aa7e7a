"""Prompts by the checkpoint's own chat template."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from inference.errors import ModelUnavailable
from inference.thinking import (
    Marks,
    Thinking,
    Wrapping,
    asked_for,
    marks_of,
    opens_thoughts,
    without_thoughts,
)
from inference.types import Message, Role

_Content: TypeAlias = str | list[dict[str, str]]
_TemplateMessage: TypeAlias = dict[str, str | _Content]


class Content(StrEnum):
    """The shape in which a template takes a message's content."""

    PARTS = "parts"
    """A list of ``{"type": "image"}`` and ``{"type": "text", "text": …}``."""
    TEXT_PARTS = "text parts"
    """A list of one text, which contains its pictures' placeholders."""
    STRING = "string"
    """The text itself, which contains its pictures' placeholders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a chat template requires of its messages; `template_probe` finds out at start-up."""

    template: str | None = None
    """None: the model's own."""
    placeholder: str = "<image>"
    """A picture's placeholder in a text."""
    user: Content = Content.PARTS
    assistant: Content = Content.PARTS
    system: Content | None = Content.PARTS
    """None: it has no system role; the system prompt goes before the first question's text."""
    merges: bool = False
    """It requires alternating roles: consecutive messages of one role are merged."""
    thinks: bool = False
    """The model thinks before it answers, if its template lets it."""
    asks_for_thoughts: Marks | None = None
    """Between which marks its template asks for thoughts in words, where nothing else stands."""
    straight_to_it: str = ""
    """What makes a model that always thinks answer at once, behind a prompt."""

    def content_of(self, role: Role) -> Content:
        """Return the shape for a role."""
        shapes = {Role.USER: self.user, Role.ASSISTANT: self.assistant, Role.SYSTEM: self.system}
        return shapes[role] or Content.PARTS


def template_of(processor: Any) -> str | None:
    """Return a model's own chat template, its processor's or else its tokenizer's, if it has one.

    Raises: ModelUnavailable if there are several, none of which is the default.
    """
    found = getattr(processor, "chat_template", None)
    if not found:
        found = getattr(getattr(processor, "tokenizer", None), "chat_template", None)
    if isinstance(found, dict):
        if len(found) > 1 and "default" not in found:
            names = ", ".join(sorted(found))
            raise ModelUnavailable(
                f"The model has several chat templates ({names}): name one of them 'default'."
            )
        found = found.get("default") or next(iter(found.values()), None)
    return found or None


AS_PARTS = Dialect()


def render(processor: Any, messages: tuple[Message, ...], dialect: Dialect = AS_PARTS) -> str:
    """Render with the model's own template; pictures precede their message's text.

    Raises: what the template raises; `template_probe` has tried it.
    """
    if dialect.system is None:
        messages = _with_system_in_question(messages)
    if dialect.merges:
        messages = _merged(messages)
    # Not `processor.apply_chat_template`: some processors need their video part for it.
    prompt = str(
        processor.tokenizer.apply_chat_template(
            [as_template_message(message, dialect) for message in messages],
            chat_template=dialect.template or template_of(processor),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=dialect.thinks,
        )
    )
    if dialect.thinks:
        return prompt
    return without_thoughts(prompt, asks=dialect.asks_for_thoughts) + dialect.straight_to_it


def asks_for_thoughts(processor: Any, dialect: Dialect) -> Marks | None:
    """Return between which marks a template asks for thoughts in words; None if it does not."""
    question = "Hello"
    before, _, _ = render(
        processor, (Message(role=Role.USER, text=question),), replace(dialect, thinks=True)
    ).partition(question)
    return asked_for(before)


def straight_to_it(processor: Any, dialect: Dialect, wrapping: Wrapping) -> str:
    """Return what must follow a prompt for a model that always thinks to answer at once.

    Returns: nothing where the template itself has a switch.
    """
    question = (Message(role=Role.USER, text="Hello"),)
    silent, thoughtful = (
        render(processor, question, replace(dialect, thinks=thinks)) for thinks in (False, True)
    )
    return wrapping.straight_to_it if silent == thoughtful else ""


def thinking_of(processor: Any, dialect: Dialect, *, always: bool = False) -> Thinking:
    """Return what the prompts of a checkpoint's own template say of thoughts.

    Args:
        processor: the checkpoint's.
        dialect: its template's.
        always: the model thinks, even if its marks for it are no tokens.
    """
    if opens_thoughts(render(processor, (Message(role=Role.USER, text="Hello"),), dialect)):
        return Thinking.OPENED
    marks = marks_of(processor.tokenizer.get_vocab())
    return Thinking.POSSIBLE if always or marks is not None else Thinking.NONE


def as_template_message(message: Message, dialect: Dialect) -> _TemplateMessage:
    """Return a message as a template takes it."""
    shape = dialect.content_of(message.role)
    text = message.text
    content: _Content
    if shape is Content.PARTS:
        content = [{"type": "image"} for _ in message.pictures]
        content.append({"type": "text", "text": text})
    else:
        text = f"{dialect.placeholder}\n" * len(message.pictures) + text
        content = text if shape is Content.STRING else [{"type": "text", "text": text}]
    return {"role": message.role.value, "content": content}


def _with_system_in_question(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Put the system prompt before the first question, with a blank line between them."""
    system = [message.text for message in messages if message.role is Role.SYSTEM]
    others = [message for message in messages if message.role is not Role.SYSTEM]
    for index, message in enumerate(others):
        if system and message.role is Role.USER:
            others[index] = replace(message, text="\n\n".join([*system, message.text]))
            break
    return tuple(others)


def _merged(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Merge consecutive messages of one role."""
    merged: list[Message] = []
    for message in messages:
        if not merged or merged[-1].role is not message.role:
            merged.append(message)
            continue
        merged[-1] = replace(
            message,
            text=f"{merged[-1].text}\n{message.text}",
            pictures=merged[-1].pictures + message.pictures,
        )
    return tuple(merged)
