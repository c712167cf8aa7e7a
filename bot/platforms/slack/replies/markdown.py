"""Answers in the Markdown of Slack's `markdown` block and of its streams.

Slack reads CommonMark itself, headings, lists, quotes and links included. Its streams are not
documented to take tables, and neither they nor blocks take formulas or a fence's language: tables
and formulas become code. Shown text of a stream cannot change, so a table waits for its end.
"""

from __future__ import annotations

import re

from bot.platforms.chat.markdown.dialect import Dialect
from bot.platforms.chat.markdown.renderer import render

OWN_LINK = re.compile(r"<(?=[A-Za-z])")
"""What may begin a link of Slack's own, ``<https://…|text>``, whose text hides where it leads.

One character decides, so that the shown text of a stream stays as it is.
"""


class SlackDialect(Dialect):
    """Slack's."""

    whole_tables = True
    joiner = "\u2060"

    def text(self, text: str) -> str:
        """No address stands right behind a ``<``."""
        return OWN_LINK.sub(f"<{self.joiner}", super().text(text))

    def language(self, _info: str, /) -> str:
        """None: older clients show it as the first line of the code."""
        return ""


DIALECT = SlackDialect()


def slack_markdown(text: str, complete: bool) -> str:
    """An answer as Slack shows it; see `ReplyLimits.render`."""
    return render(text, DIALECT, complete=complete)
