"""Letters that look alike in any typeface, told apart by those beside them. Pure."""

from __future__ import annotations

import re
from typing import Final

_KATAKANA: Final = r"\u30a1-\u30fa\u30fc"
_HIRAGANA: Final = r"\u3041-\u3096"
_KANJI: Final = r"\u4e00-\u9fff"
_TO_KATAKANA: Final = str.maketrans("へべぺ一", "ヘベペー")
_TO_HIRAGANA: Final = str.maketrans("ヘベペ", "へべぺ")
_IN_KATAKANA: Final = tuple(
    re.compile(pattern)
    for pattern in (
        f"(?<=[{_KATAKANA}])[へべぺ一](?=[{_KATAKANA}])",
        f"(?<=[{_KATAKANA}]{{2}})[へべぺ一](?![{_KANJI}{_HIRAGANA}])",
        f"(?<![{_KANJI}{_HIRAGANA}])[へべぺ](?=[{_KATAKANA}]{{2}})",
    )
)
_IN_HIRAGANA: Final = re.compile(f"(?<=[{_KANJI}{_HIRAGANA}])[ヘベペ](?=[{_HIRAGANA}])")


def cleaned(text: str) -> str:
    """A recognised piece of text, without the mistakes that its neighbours give away."""
    for pattern in _IN_KATAKANA:
        text = pattern.sub(lambda found: found[0].translate(_TO_KATAKANA), text)
    text = _IN_HIRAGANA.sub(lambda found: found[0].translate(_TO_HIRAGANA), text)
    return " ".join(text.split())
