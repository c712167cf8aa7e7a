"""Split a text into parts that each fit one message of the platform.

After a paragraph, else a sentence, else a word, else between two characters as people count them.
A code fence that must be cut is closed and opened again, with the head of the table that it shows.
"""

from __future__ import annotations

import regex

from bot.values.messages import ReplyLimits

# As CommonMark has it: ticks have no tick after them on their line; and at any depth of a list.
FENCE = regex.compile(r"^[ \t]*(?|(```+)([^\n`]*)|(~~~+)([^\n]*))$", regex.MULTILINE)
# Where a text may be cut, best first; each match ends where the next part begins.
CUTS = (
    regex.compile(r"\n[ \t]*\n\s*"),
    regex.compile(r"(?<=[.!?…]['\"”’)\]]*)\s+|(?<=[。！？][」』）]*)|\n"),
    regex.compile(r"\s+"),
)
CHARACTER = regex.compile(r"\X")
QUOTE = regex.compile(r" *> ?")
TABLE_HEAD = regex.compile(r"(?:[^\n]*\n){1,6}? *-+(?:\|-+)+\n")
"""Of a table in a code block, as chats that have no tables show it: its head and a rule."""


def split(text: str, limits: ReplyLimits) -> list[str]:
    """Cut a text into parts that fit one message each; a short text is one part.

    Parts that are complete do not change when the text grows at its end. No part is blank.
    """
    if not text:
        return []
    if limits.max_length is None:
        return [text]
    parts = []
    while limits.measure(text) > limits.max_length:
        part, text = _cut(text, limits)
        parts.append(part)
    return [part for part in (*parts, text) if part.strip()]


def _cut(text: str, limits: ReplyLimits) -> tuple[str, str]:
    """Cut the first part off: (part, rest)."""
    room = _prefix_length(text, limits)
    at = _best_cut(text, room)
    fence = open_fence(text[:at])
    if fence is None:
        return text[:at].rstrip(), _at_margin(_quote_of(text, at) + text[at:])
    opening, marker = fence
    if text[:at].strip() != opening.strip() and (before := _before_fence(text, opening, at)):
        return text[:before].rstrip(), _at_margin(text[before:])
    indent = _indent(opening)
    closing = f"\n{indent}{marker}"
    inner = ReplyLimits(
        max_length=(limits.max_length or 0) - limits.measure(closing), measure=limits.measure
    )
    start = text.rfind(opening, 0, at)
    code = start + len(opening) + 1
    head = _table_head(text, code, room)
    at = _line_cut(text, _prefix_length(text, inner), code + len(head) - 1)
    if at <= code:
        # The opening line alone fills a part: no fence can be kept around that.
        cut = start if text[:start].strip() else room
        return text[:cut], text[cut:]
    if at <= code + len(head):
        head = ""
    return text[:at].rstrip("\n") + closing, _at_margin(f"{opening}\n{head}{text[at:]}")


def _table_head(text: str, at: int, room: int) -> str:
    """The lines that stand above the rows of a table, if one begins there."""
    match = TABLE_HEAD.match(text, at)
    return match[0] if match is not None and len(match[0]) <= room // 3 else ""


def _quote_of(text: str, at: int) -> str:
    """What a quoted line begins with, if the cut is within one."""
    start = text.rfind("\n", 0, at) + 1
    match = QUOTE.match(text, start)
    return match[0] if match is not None and at > match.end() else ""


def _indent(text: str) -> str:
    return " " * (len(text) - len(text.lstrip(" ")))


def _at_margin(text: str) -> str:
    """A rest without the indent of the list that it was in: four spaces would make it code."""
    indent = _indent(text)
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith(indent):
            break
        lines[number] = line.removeprefix(indent)
    return "\n".join(lines)


def _prefix_length(text: str, limits: ReplyLimits) -> int:
    """The longest beginning that fits, in whole characters as people count them.

    A single character longer than a part (a letter under a hundred accents) is cut all the same.
    """
    limit = (limits.max_length or 0) * 4 + 64
    ends = [match.end() for match in CHARACTER.finditer(text, 0, limit)]
    if limits.measure(text[: ends[0]]) > (limits.max_length or 0):
        ends = list(range(1, ends[0] + 1))
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        if limits.measure(text[: ends[middle - 1]]) <= (limits.max_length or 0):
            low = middle
        else:
            high = middle - 1
    return ends[max(low, 1) - 1]


def _best_cut(text: str, room: int) -> int:
    """Where to cut within `room`: after a paragraph, a sentence, a word, or anywhere."""
    for cut in CUTS:
        ends = [match.end() for match in cut.finditer(text, 0, room + 1) if match.start() > 0]
        # A cut in the first third wastes more of the message than it helps the reader.
        good = [min(end, room) for end in ends if room // 3 < end]
        if good and text[: good[-1]].strip():
            return good[-1]
    return room


def open_fence(text: str) -> tuple[str, str] | None:
    """The fence still open at the end of a text: (its whole opening line, its marker)."""
    opened: tuple[str, str] | None = None
    for match in FENCE.finditer(text):
        marker, info = match.group(1), match.group(2).strip()
        if opened is None:
            opened = (match.group(0), marker)
        elif marker.startswith(opened[1]) and not info:
            opened = None
    return opened


def _before_fence(text: str, opening: str, at: int) -> int | None:
    """Just before the open fence, if enough of the message comes before it."""
    start = text.rfind(opening, 0, at)
    return start if start > at // 3 else None


def _line_cut(text: str, room: int, least: int) -> int:
    """After the last whole line of code that fits, else anywhere."""
    line_end = text.rfind("\n", least + 1, room)
    return line_end + 1 if line_end > least else room
