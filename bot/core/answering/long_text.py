"""An answer that quotes more than a chat's messages hold: as a file, or else its beginning."""

from __future__ import annotations

import re
from typing import Final

from bot.core.answering.pictured_text import cut
from bot.core.splitting import open_fence
from bot.texts import say
from bot.values.messages import LongText, TextFile

IN_MESSAGES: Final = 4000
"""Characters that a chat shows in its messages; what is longer becomes a file."""
WITHOUT_FILE: Final = 8000
"""Characters that are shown where no file can be posted."""
_BLOCK: Final = re.compile(r"^(```+)\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)


def long_text(text: str, locale: str) -> LongText | None:
    """What a chat shows of the text that was read in pictures; `None`: all of it.

    `text`: Markdown, what was read in code blocks.
    """
    if len(text) <= IN_MESSAGES:
        return None
    name = say(locale, "text_file_name")
    plain = _BLOCK.sub(lambda block: block[2], text)
    beginning = _closed(cut(text, WITHOUT_FILE))
    if len(text) > WITHOUT_FILE:
        beginning = f"{beginning}\n\n{say(locale, 'text_cut', limit=WITHOUT_FILE)}"
    return LongText(
        file=TextFile(name=name, text=f"{plain}\n"),
        beside_file=say(locale, "text_in_file", name=name),
        without_file=beginning,
    )


def _closed(text: str) -> str:
    fence = open_fence(text)
    return text if fence is None else f"{text}\n{fence[1]}"
