"""LLaVA-1.5 as it was trained, and the pocket model, which has LLaVA's architecture."""

from __future__ import annotations

from typing import Any

from PIL import Image
from transformers.utils.chat_template_utils import render_jinja_template

from inference.models import chat_template
from inference.models.family import Family
from inference.models.images import pad_to_square
from inference.types import Limitation, Message, Picture, Role, Sampling

VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


def render_vicuna_v1(_processor: Any, messages: tuple[Message, ...]) -> str:
    """Render the prompts that LLaVA-1.5 was trained on.

    The converted checkpoints' own template omits the system sentence and puts a space where
    ``</s>`` belongs.

    Source: ``conv_vicuna_v1`` in ``llava/conversation.py`` of LLaVA 1.2.
    """
    system = VICUNA_SYSTEM
    rounds = []
    for message in messages:
        match message.role:
            case Role.SYSTEM:
                system = message.text
            case Role.USER:
                pictures = "<image>\n" * len(message.pictures)
                rounds.append(f"USER: {pictures}{message.text} ASSISTANT:")
            case Role.ASSISTANT:
                rounds.append(f" {message.text}</s>")
    return f"{system} {''.join(rounds)}"


_SPECIAL_TOKENS: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
_CONVERSATION = (
    Message(
        role=Role.USER,
        text="Wordeins",
        pictures=(Picture(digest="", data=b"", width_px=1, height_px=1),),
    ),
    Message(role=Role.ASSISTANT, text="Wordzwei"),
    Message(role=Role.USER, text="Worddrei"),
)


def _is_vicuna_v1(template: str) -> bool:
    """Whether a template writes our turns: all but the system sentence, spaces and ``</s>``."""
    ours = _turns_of(render_vicuna_v1(None, _CONVERSATION))
    string = chat_template.Content.STRING
    dialects = (chat_template.AS_PARTS, chat_template.Dialect(user=string, assistant=string))
    return any(_rendered_turns(template, dialect) == ours for dialect in dialects)


def _rendered_turns(template: str, dialect: chat_template.Dialect) -> str | None:
    messages = [chat_template.as_template_message(message, dialect) for message in _CONVERSATION]
    try:
        rendered: Any = render_jinja_template(
            [messages],
            chat_template=template,
            add_generation_prompt=True,
            **_SPECIAL_TOKENS,
        )
    except Exception:  # noqa: BLE001 - a template is a program; `template_probe` reports its error
        return None
    prompts, _ = rendered
    return _turns_of(prompts[0])


def _turns_of(prompt: str) -> str:
    prompt = prompt.strip().removeprefix("<s>").strip().removeprefix(VICUNA_SYSTEM)
    return "".join(prompt.replace("</s>", "").split())


def _is_llava_1_5(config: Any, template: str | None) -> bool:
    """CLIP tower, Llama decoder, and no template that shows it was trained on other prompts."""
    return (
        config.vision_config.model_type == "clip_vision_model"
        and config.text_config.model_type == "llama"
        and (template is None or _is_vicuna_v1(template))
    )


def _pad(picture: Image.Image, processor: Any) -> Image.Image:
    return pad_to_square(picture, tuple(processor.image_processor.image_mean))


def _tower_px(processor: Any) -> int | None:
    crop = getattr(processor.image_processor, "crop_size", None)
    return None if crop is None else int(crop["height"])


def _twice_tower_px(processor: Any) -> int | None:
    """Twice the tower's side: decoding a fraction then costs less quality than JPEG itself."""
    side = _tower_px(processor)
    return None if side is None else 2 * side


LLAVA_1_5 = Family(
    name="llava-1.5",
    model_types=frozenset({"llava"}),
    render=render_vicuna_v1,
    fits=_is_llava_1_5,
    fit_picture=_pad,
    min_px=_twice_tower_px,
    tower_px=_tower_px,
    max_pictures=4,  # 576 tokens each in a context of 4,096
    turn_marks=("USER:", "ASSISTANT:"),
    limitations=(Limitation.NO_SMALL_TEXT,),
)

POCKET = Family(
    name="pocket",
    model_types=frozenset({"llava"}),
    render=chat_template.render,
    fits=lambda config, _template: config.vision_config.model_type == "pocket_vision",
    tower_px=_tower_px,
    max_pictures=4,
    context_tokens=2048,  # SmolLM2 takes more, but two cores do not prefill it in time
    sampling=Sampling(temperature=0.0, max_new_tokens=160),
    limitations=(Limitation.MAIN_SUBJECT_ONLY, Limitation.NO_TEXT),
    languages=("en", "ja"),
)
