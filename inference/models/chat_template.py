"""The conversation by the checkpoint's own chat template."""

from __future__ import annotations

from typing import Any

from inference.types import Message


def render(processor: Any, messages: tuple[Message, ...]) -> str:
    """Render with the template that came with the model; pictures stand before the text."""
    template = getattr(processor, "chat_template", None) or processor.tokenizer.chat_template
    # Not `processor.apply_chat_template`: some processors reach for their video part there.
    prompt = processor.tokenizer.apply_chat_template(
        [_as_template_message(message) for message in messages],
        chat_template=template,
        tokenize=False,
        add_generation_prompt=True,
    )
    return str(prompt)


def _as_template_message(message: Message) -> dict[str, Any]:
    content: list[dict[str, str]] = [{"type": "image"} for _ in message.pictures]
    content.append({"type": "text", "text": message.text})
    return {"role": message.role.value, "content": content}
