"""How the bot's messages look: text, small text, buttons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import discord
from discord import ui

from bot.core.splitting import open_fence
from bot.platforms.discord.events import message_key
from bot.texts import say
from bot.values.messages import MessageKey, Receipt

if TYPE_CHECKING:
    # At run time it asks for its parameter, which only the type checker has a use for.
    Button = ui.Button[ui.View]
    Select = ui.Select[ui.View]
else:
    Button, Select = ui.Button, ui.Select

MAX_MESSAGE = 2000
MAX_LENGTH = 1600
"""Of an answer's part: the rest is for the lines under it."""
MAX_UNDER = 380
FENCE_ROOM = 10
"""For the line that closes an open block of code."""
MAX_THREAD_NAME = 90
STOP, AGAIN, GOOD, BAD = "stop", "again", "good", "bad"
MAX_OPTIONS = 25
"""Of a menu."""
NO_PINGS = discord.AllowedMentions.none()


def length(text: str) -> int:
    """In UTF-16 units, the longest way to count that Discord's clients use."""
    return len(text.encode("utf-16-le")) // 2


def clipped(text: str, room: int) -> str:
    """The beginning that fits."""
    if length(text) <= room:
        return text
    return text.encode("utf-16-le")[: 2 * (room - 1)].decode("utf-16-le", "ignore") + "…"


def thread_name(question: str, locale: str) -> str:
    """A thread is named from its question."""
    words = " ".join(question.split())
    return clipped(words or say(locale, "default_question"), MAX_THREAD_NAME)


def small(text: str) -> str:
    """A line of small text; nothing in it has a meaning of its own."""
    line = discord.utils.escape_markdown(" ".join(text.split()))
    return f"-# {discord.utils.escape_mentions(line)}"


def closed(text: str) -> str:
    """A text whose code is closed, so that what follows is not part of it."""
    fence = open_fence(text)
    return text if fence is None else f"{text.rstrip()}\n{fence[1]}"


def final(text: str, receipt: Sequence[str]) -> str:
    """The last message of an answer, with the receipt under it in small text."""
    under = clipped("\n".join(map(small, receipt)), MAX_UNDER)
    text = closed(clipped(text, MAX_MESSAGE - length(under) - FENCE_ROOM))
    return f"{text}\n{under}".strip()


def receipt_lines(receipt: Receipt, locale: str) -> list[str]:
    """What the answer used and left out."""
    used = [
        say(locale, "receipt_picture", number=picture.number, name=picture.name)
        + (f" ({'; '.join(picture.notes)})" if picture.notes else "")
        for picture in receipt.pictures
    ]
    rest = [*receipt.skipped, *receipt.dropped, *receipt.notes]
    return [*([" · ".join(used)] if used else []), *rest]


# -- buttons ------------------------------------------------------------------------------------


class ButtonListener(Protocol):
    """Receives buttons."""

    async def on_button(
        self, interaction: discord.Interaction[Any], action: str, key: MessageKey
    ) -> None:
        """Somebody pressed it."""
        ...

    async def on_preset(
        self, interaction: discord.Interaction[Any], message: str, preset: str
    ) -> None:
        """Somebody chose a preset under the answer about a message's picture."""
        ...


class AnswerButton(
    ui.DynamicItem[Button], template=r"llava:(?P<action>\w+):(?P<channel>\d+):(?P<message>[\w:]+)"
):
    """A button under an answer. Its id says of which question, so that it outlives the process."""

    def __init__(self, action: str, channel: str, message: str, *, label: str = "") -> None:
        emoji = {GOOD: "👍", BAD: "👎"}.get(action)
        super().__init__(
            ui.Button(
                label=label or None,
                emoji=emoji,
                style=discord.ButtonStyle.secondary,
                custom_id=f"llava:{action}:{channel}:{message}",
            )
        )
        self.action = action
        self.channel = channel
        self.question = message

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: ui.Item[Any], match: re.Match[str], /
    ) -> AnswerButton:
        """From a button that was pressed."""
        return cls(match["action"], match["channel"], match["message"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Pass it on to the adapter."""
        listener: ButtonListener = interaction.client.interactions
        key = message_key(str(interaction.guild_id or ""), self.channel, self.question)
        await listener.on_button(interaction, self.action, key)


class PresetMenu(ui.DynamicItem[Select], template=r"llava-preset:(?P<message>\d+)"):
    """A menu under the answer about a picture; its id says of which message."""

    def __init__(self, message: str, presets: Sequence[str] = ("-",), *, label: str = "") -> None:
        """`presets` and `label` are not known, and not needed, once one was chosen."""
        super().__init__(
            ui.Select(
                custom_id=f"llava-preset:{message}",
                placeholder=label or None,
                options=[discord.SelectOption(label=name) for name in presets[:MAX_OPTIONS]],
            )
        )
        self.question = message

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: ui.Item[Any], match: re.Match[str], /
    ) -> PresetMenu:
        """From a menu in which something was chosen."""
        return cls(match["message"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Pass it on to the adapter."""
        listener: ButtonListener = interaction.client.interactions
        data: dict[str, Any] = dict(interaction.data or {})
        for chosen in data.get("values", ())[:1]:
            await listener.on_preset(interaction, self.question, str(chosen))


def running_buttons(key: MessageKey, locale: str) -> ui.View:
    """Under an unfinished answer."""
    return _view(AnswerButton(STOP, key.channel, key.message, label=say(locale, "button_stop")))


def final_buttons(key: MessageKey, locale: str, presets: Sequence[str] = ()) -> ui.View:
    """Under an answer; `presets` to choose from."""
    view = _view(
        AnswerButton(GOOD, key.channel, key.message),
        AnswerButton(BAD, key.channel, key.message),
        AnswerButton(AGAIN, key.channel, key.message, label=say(locale, "button_again")),
    )
    if presets:
        view.add_item(PresetMenu(key.message, presets, label=say(locale, "preset_menu")))
    return view


def _view(*buttons: AnswerButton) -> ui.View:
    view = ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    return view


def question_of(message: discord.Message) -> tuple[str, str] | None:
    """(channel, message) of the question that a message of the bot's answers, by its buttons."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            match = AnswerButton.__discord_ui_compiled_template__.fullmatch(
                getattr(item, "custom_id", None) or ""
            )
            if match is not None:
                return match["channel"], match["message"]
    return None
