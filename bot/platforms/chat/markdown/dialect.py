"""How a chat writes what Markdown means: CommonMark, where a subclass does not say otherwise."""

from __future__ import annotations

import re

TICKS = re.compile(r"`+")
ESCAPED = frozenset("\\`*_~[]<>#|")
"""Signs that keep the backslash that a model wrote before them."""
DEFINITION = re.compile(r"^(?=\[[^\]\n]+\]:)|^(?==+$)", re.MULTILINE)
"""Where a line is text for us, and CommonMark would see a definition or an underline."""


class Dialect:
    """Writes one thing each."""

    whole_tables = False
    """Whether shown text stays as it is: then a table is shown once it is complete."""

    joiner = ""
    """What keeps `<` apart from an address, for a chat whose own links begin so."""

    def text(self, text: str) -> str:
        """Words; no sign in them was a mark for CommonMark."""
        return text.replace("](", "]\\(")

    def escaped(self, character: str, line: str) -> str:
        """A character that was escaped, behind `line`."""
        begins_list = (character in ".)" and line.isdigit()) or (character in "-+" and not line)
        return f"\\{character}" if character in ESCAPED or begins_list else character

    def paragraph(self, text: str) -> str:
        """Its lines."""
        return DEFINITION.sub(r"\\", text)

    def heading(self, level: int, text: str) -> str:
        """Of level 1 to 6."""
        return f"{'#' * level} {text}"

    def code(self, text: str) -> str:
        """Code within a line."""
        longest = max(map(len, TICKS.findall(text)), default=0)
        ticks = "`" * (longest + 1 if longest else 1)
        pad = " " if longest or (text != text.strip() and text.strip()) else ""
        return f"{ticks}{pad}{text}{pad}{ticks}"

    def fence(self, text: str, info: str, *, is_open: bool) -> str:
        """A block of code; `is_open`: it is still being written."""
        longest = max(map(len, TICKS.findall(text)), default=0)
        marker = "`" * max(3, longest + 1)
        lines = [f"{marker}{self.language(info)}", *([text] if text else [])]
        return "\n".join(lines if is_open else [*lines, marker])

    def language(self, info: str, /) -> str:
        """What stands behind a fence's opening ticks."""
        return info

    def link(self, text: str, target: str) -> str:
        """A link, or only its target where that is its text."""
        return target if text == target else f"[{text}]({target})"
