"""Answers in Discord's Markdown: no tables, no formulas, and signs of its own."""

from __future__ import annotations

import re

from bot.platforms.chat.markdown.dialect import Dialect
from bot.platforms.chat.markdown.renderer import render

LANGUAGE = re.compile(r"[\w+#.-]{1,20}")
LAST_HEADING = 3
OWN_SIGNS = re.compile(
    r"\|\||__|^-(?=# )|^>(?=>> )|<(?=[@#]|a?:\w+:\d|/[\w ]+:\d|t:-?\d)", re.MULTILINE
)
"""A spoiler, an underline, small text, a quote without end, a mention, an emoji, a time."""
TICKS_APART = "``\u200b`"


class DiscordDialect(Dialect):
    """Discord's."""

    def text(self, text: str) -> str:
        """Signs that mean something to Discord alone mean nothing."""
        return OWN_SIGNS.sub(lambda it: "".join(f"\\{sign}" for sign in it[0]), super().text(text))

    def paragraph(self, text: str) -> str:
        """As it is: Discord knows no definitions and no underlined headings."""
        return text

    def heading(self, level: int, text: str) -> str:
        """Discord has three levels; deeper ones are bold."""
        return super().heading(level, text) if level <= LAST_HEADING else f"**{text}**"

    def code(self, text: str) -> str:
        """One or two ticks: three begin a block for Discord."""
        return super().code(text.replace("```", TICKS_APART).replace("``", "`\u200b`"))

    def fence(self, text: str, info: str, *, is_open: bool) -> str:
        """Three ticks always: Discord knows no longer fences."""
        return super().fence(text.replace("```", TICKS_APART), info, is_open=is_open)

    def language(self, info: str, /) -> str:
        """One word: anything else Discord shows as code."""
        match = LANGUAGE.match(info)
        return match[0] if match else ""


DIALECT = DiscordDialect()


def discord_markdown(text: str, complete: bool) -> str:
    """An answer as Discord shows it; see `ReplyLimits.render`."""
    return render(text, DIALECT, complete=complete)
