"""The tables of docs/models.md: `python -m tests.models_document --write` makes them anew."""

from __future__ import annotations

import sys
from pathlib import Path

from inference.catalogue import Need, as_markdown, fast_models

FILE = Path(__file__).parents[1] / "docs" / "models.md"
MARK = "<!-- What follows is made by `python -m tests.models_document --write`. -->\n\n"
SIZES_GB = (8, 12, 16, 24, 48, 80)


def document() -> str:
    """Return the page: its words as they are, its tables made anew."""
    words, mark, _ = FILE.read_text(encoding="utf-8").partition(MARK)
    return words + mark + as_markdown(SIZES_GB, Need(), fast_models()) + "\n"


if __name__ == "__main__" and "--write" in sys.argv:
    FILE.write_text(document(), encoding="utf-8")
