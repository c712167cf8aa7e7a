"""What the bot's messages and modals look like, in Slack's Block Kit. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.texts import say
from bot.values.messages import MessageKey, Receipt

STOP, AGAIN, FEEDBACK = "llava_stop", "llava_again", "llava_feedback"
PRESET = "llava_preset"
SHORTCUT, ASK_VIEW, SETTINGS_VIEW = "llava_ask_about", "llava_ask", "llava_settings"
COMMAND = "/llava"

MAX_LENGTH = 3900
"""Slack takes 4,000 characters where a message is updated; counted as UTF-16 to be sure."""
MAX_CONTEXT = 2900

PING = re.compile(r"<(?=[!@#])")

Block = dict[str, Any]


def unpinged(text: str) -> str:
    """The model's text without pings: Slack reads ``<@…>`` and ``<!…>`` as such."""
    return PING.sub("<\u2060", text)


def length(text: str) -> int:
    """In UTF-16 units, as it is sent."""
    return len(unpinged(text).encode("utf-16-le")) // 2


def notification(text: str) -> str:
    """The text beside the blocks, for notifications; never longer than Slack takes."""
    sent = unpinged(text).encode("utf-16-le")
    return sent[: 2 * MAX_LENGTH].decode("utf-16-le", "ignore")


def value_of(key: MessageKey) -> str:
    """A question, for a button's value."""
    return json.dumps([key.channel, key.message])


def key_from(value: str) -> tuple[str, str]:
    """(channel, message) of a button's value."""
    channel, message = json.loads(value)
    return channel, message


def question_of(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """(channel, message) of the question that a message of the bot's answers, by its buttons."""
    for block in event.get("blocks") or ():
        for element in block.get("elements") or ():
            if element.get("action_id") in {STOP, AGAIN}:
                try:
                    return key_from(str(element.get("value")))
                except ValueError:
                    return None
    return None


def running(text: str, key: MessageKey, locale: str) -> list[Block]:
    """A message while its answer grows, with a button to stop it."""
    return [_markdown(text), _actions(_button(locale, STOP, "button_stop", key))]


def waiting(sentence: str, key: MessageKey, locale: str) -> list[Block]:
    """A message before the first word."""
    return [_context(sentence), _actions(_button(locale, STOP, "button_stop", key))]


def part(text: str) -> list[Block]:
    """A message that is complete and not the last of its answer."""
    return [_markdown(text)]


def final(text: str, receipt: list[Block]) -> list[Block]:
    """The last message of an answer."""
    return [*([_markdown(text)] if text else []), *receipt]


def receipt_blocks(
    key: MessageKey, receipt: Receipt, locale: str, presets: Sequence[str] = ()
) -> list[Block]:
    """Under an answer: the receipt, feedback buttons, *Ask again*, and a menu of presets."""
    line = receipt_line(receipt, locale)
    return [
        *([_context(line)] if line else []),
        _feedback(key, locale),
        _actions(_button(locale, AGAIN, "button_again", key)),
        *([_preset_menu(key, presets, locale)] if presets else []),
    ]


def _preset_menu(key: MessageKey, presets: Sequence[str], locale: str) -> Block:
    """The block's id says about which question: an option's value has no room for it."""
    menu = {
        "type": "static_select",
        "action_id": PRESET,
        "placeholder": plain(say(locale, "preset_menu")),
        "options": [{"text": plain(name), "value": name} for name in presets],
    }
    return {**_actions(menu), "block_id": value_of(key)}


def receipt_line(receipt: Receipt, locale: str) -> str:
    """What the answer used and left out, in one line."""
    used = [
        say(locale, "receipt_picture", number=picture.number, name=picture.name)
        + (f" ({'; '.join(picture.notes)})" if picture.notes else "")
        for picture in receipt.pictures
    ]
    return " · ".join([*used, *receipt.skipped, *receipt.dropped, *receipt.notes])


def _markdown(text: str) -> Block:
    return {"type": "markdown", "text": unpinged(text)}


def _context(text: str) -> Block:
    clipped = text if len(text) <= MAX_CONTEXT else f"{text[: MAX_CONTEXT - 1]}…"
    return {"type": "context", "elements": [{"type": "plain_text", "text": clipped}]}


def _actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def _button(locale: str, action: str, text: str, key: MessageKey) -> Block:
    return {
        "type": "button",
        "action_id": action,
        "text": plain(say(locale, text)),
        "value": value_of(key),
    }


def _feedback(key: MessageKey, locale: str) -> Block:
    def button(opinion: str, sign: str, text: str) -> Block:
        return {
            "text": plain(sign),
            "accessibility_label": say(locale, text),
            "value": json.dumps([opinion, key.channel, key.message]),
        }

    return {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": FEEDBACK,
                "positive_button": button("good", "👍", "button_good"),
                "negative_button": button("bad", "👎", "button_bad"),
            }
        ],
    }


def plain(text: str) -> Block:
    """Text as Slack shows it, without marks."""
    return {"type": "plain_text", "text": text, "emoji": True}


# -- modals -------------------------------------------------------------------------------------


def ask_view(about: dict[str, str], locale: str) -> Block:
    """Asks for the question about a message's picture."""
    return modal(
        locale,
        ASK_VIEW,
        "modal_ask",
        about,
        labelled(
            locale,
            "question",
            "modal_question",
            {
                "type": "plain_text_input",
                "action_id": "value",
                "multiline": True,
                "focus_on_load": True,
                "max_length": 3000,
                "placeholder": plain(say(locale, "default_question")),
            },
        ),
    )


def sentence_view(sentence: str, locale: str) -> Block:
    """Says why there is nothing to fill in."""
    return {
        "type": "modal",
        "title": plain(say(locale, "modal_title")),
        "close": plain(say(locale, "modal_close")),
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": sentence}}],
    }


def modal(locale: str, callback: str, submit: str, about: dict[str, str], *blocks: Block) -> Block:
    """A form; `about` comes back with what was filled in."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": json.dumps(about),
        "title": plain(say(locale, "modal_title")),
        "submit": plain(say(locale, submit)),
        "close": plain(say(locale, "modal_close")),
        "blocks": list(blocks),
    }


def labelled(locale: str, block: str, label: str, element: Block) -> Block:
    """A field of a modal, which may be left empty."""
    return {
        "type": "input",
        "block_id": block,
        "optional": True,
        "label": plain(say(locale, label)),
        "element": element,
    }
