"""People's text for a model whose tokenizer is a server's: what may be a control token is broken.

The server's tokenizer is not here, so unlike `inference.prompts.neutral` this goes by form: the
control tokens, picture slots and role marks of the families that such servers run. A space after
the first character keeps a tokenizer from seeing them; people and the model still read the words.
"""

from __future__ import annotations

import re

_NAMES = "|".join(
    (
        *("s", "bos", "eos", "pad", "unk", "mask", "sep", "cls", "endoftext", "eot", "eod"),
        *("image", "images", "img", "video", "audio", "picture", "image_soft_token"),
        *("start_of_turn", "end_of_turn", "start_of_image", "end_of_image", "fake_token_[a-z_]+"),
        *("end_of_utterance", "global-img", "row_[0-9]+_col_[0-9]+", "img_context", "box", "ref"),
        *("think", "tool_call", "tool_response", "im_start", "im_end", "im_patch"),
    )
)
CONTROL = re.compile(
    "|".join(
        (
            r"[<＜][|｜][^<>＜＞\n]{1,80}?[|｜][>＞]",  # <|im_end|>
            rf"[<＜]/?(?:{_NAMES})[>＞]",
            r"\[/?(?:INST|SYSTEM_PROMPT|IMG|IMG_BREAK|IMG_END|TOOL_[A-Z]+|AVAILABLE_TOOLS)\]",
            r"<<\s*/?SYS\s*>>",
        )
    ),
    re.IGNORECASE,
)
ROLE = re.compile(r"(?<!\w)(USER|ASSISTANT|SYSTEM|HUMAN|GPT)(?=\s*[:：])", re.IGNORECASE)


def defused(text: str) -> str:
    """Return the text, with a space in whatever may be more than text."""
    while CONTROL.search(text):
        text = CONTROL.sub(lambda it: f"{it[0][0]} {it[0][1:]}", text)
    return ROLE.sub(lambda it: f"{it[0]} " if not it.string[it.end()].isspace() else it[0], text)
