"""What a thread is called once its first question has an answer: ``Cheetah – What is this?``.

The answer's first sentence says what the picture shows; its usual openings say nothing. Where the
rule finds no short gist, the title stays the question: a plain title is better than a wrong one.
"""

from __future__ import annotations

import re
from typing import Final

from bot.store import Store, StoreFailed
from bot.values.messages import Ending, IncomingMessage, Outcome, ThreadKey

MAX_TITLE: Final = 80
MAX_GIST: Final = 40
MAX_WIDE_GIST: Final = 20
"""Of Chinese, Japanese and Korean, whose characters are twice as wide."""

_SENTENCE: Final = re.compile(r".+?(?:[。！？]|[.!?](?=\s|$)|$)")
_NO_PROSE: Final = re.compile(r"\s*(?:```|~~~|\||\$\$|\\\[|<)")
_MARKS: Final = re.compile(r"^(?:\s*(?:#{1,6}\s|>|[-*+•]\s|\d{1,3}[.)]\s))+|[*_`]+")

# "It may be a cheetah" is no "Cheetah": the doubt is kept as a question mark.
_DOUBT: Final = (
    r"(?:looks? like|appears? to (?:be|show)|seems? to (?:be|show)|(?:may|might|could) be"
    r"|is (?:probably|possibly|perhaps|most likely|likely))"
)
_SHOWS: Final = r"(?:is|are|shows?|features?|depicts?|displays?|contains?|captures?)"
_PICTURE: Final = r"(?:image|picture|photo(?:graph)?|screenshot)"
_OPENING: Final = re.compile(
    rf"(?:in (?:this|the) {_PICTURE},?\s+)?"
    r"(?P<belief>i (?:think|believe)(?: that)?\s+|maybe\s+|perhaps\s+)?"
    rf"(?:(?:it|this|that|these|those|(?:this|the) {_PICTURE}|(?:what )?(?:i|you) (?:can )?see)"
    rf"\s+(?:(?P<doubt>{_DOUBT})|{_SHOWS})|there (?:is|are)|it's|that's|i (?:can )?see)\s+"
    r"(?:an?|the|some)?\b\s*",
    re.IGNORECASE,
)
_NEGATED: Final = re.compile(r"(?:not|no|nothing|none|neither)\b", re.IGNORECASE)
_REFUSAL: Final = re.compile(
    r"(?:i(?:'m| am)\b|i (?:can ?not|can't|could not|couldn't|do not|don't)\b|sorry\b|as an ai\b"
    r"|unfortunately\b|申し訳|すみません|わかりません|分かりません)",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[,;:(—]|\s–\s|\s(?:that|which|who|where|while|because)\s")

_OPENING_JA: Final = re.compile(
    r"(?:(?:この|その)?(?:写真|画像|絵)(?:に|で)?は[、，]?|これは[、，]?|それは[、，]?)"
)
_ENDING_JA: Final = re.compile(
    r"(?:の(?:写真|画像))?(?P<doubt>だと思います|のよう(?:です|に見えます)|かもしれません|でしょう"
    r"|と思われます|らしいです)$"
    r"|(?:が|を)?(?:写って(?:い|お)(?:ます|ります)|写し(?:た(?:写真|画像|もの)です|ています)"
    r"|映って(?:い|お)(?:ます|ります)|い(?:ます|る)|あ(?:ります|る)|見えます|示しています)$"
    r"|(?:の(?:写真|画像))?(?:です|である|だ)$"
)
_UNABLE_JA: Final = re.compile(r"(?:ません|ない)$")
_WIDE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


_FINISHED: Final = re.compile(r".*[.!?。！？]", re.DOTALL)


class Titles:
    """Gives threads their titles; one that was set by hand stays."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def update(self, message: IncomingMessage, ending: Ending) -> None:
        """Title a thread whose first question has ended; without the store, it stays as it is."""
        try:
            first = await self._store.listing.first_turn(message.thread)
            if first is not None and first.message == message.key.message:
                title = title_of(first.question, _said(ending.outcome, ending.text))
                await self._store.listing.entitle(message.thread, message.key.message, title)
        except StoreFailed:
            return

    async def rename(self, thread: ThreadKey, title: str) -> str:
        """Set a title by hand; an empty one gives the thread back the one it would have.

        Returns: the title. Raises: StoreFailed.
        """
        await self._store.listing.rename(thread, title)
        first = None if title else await self._store.listing.first_turn(thread)
        if first is None:
            return title
        title = title_of(first.question, _said(first.outcome, first.answer or ""))
        await self._store.listing.entitle(thread, first.message, title)
        return title


def _said(outcome: Outcome | None, text: str) -> str:
    """What a title may be made of: whole sentences of an answer, nothing of a refusal."""
    if outcome is Outcome.ANSWERED:
        return text
    finished = _FINISHED.match(text) if outcome is Outcome.STOPPED else None
    return finished.group() if finished else ""


def title_of(question: str, answer: str) -> str:
    """The title of a thread by its first question and the (finished) answer to it."""
    question = " ".join(question.split())
    gist = gist_of(answer)
    if not gist or gist.casefold() in question.casefold():
        return _shortened(question, MAX_TITLE)
    return _shortened(f"{gist} – {question}" if question else gist, MAX_TITLE)


def gist_of(answer: str) -> str:
    """A few words of what the answer says; empty where it says nothing so short."""
    line = next((line for line in answer.splitlines() if line.strip()), "")
    if _NO_PROSE.match(line):
        return ""
    found = _SENTENCE.match(" ".join(_MARKS.sub("", line).split()))
    sentence = found.group().rstrip(".!?。！？ ") if found else ""
    if not sentence or _REFUSAL.match(sentence):
        return ""
    is_japanese = _WIDE.search(sentence) is not None
    gist, is_doubted = (_japanese_gist if is_japanese else _gist)(sentence)
    gist = gist.rstrip(" ,;:、，：")
    if not gist:
        return ""
    short = _shortened(gist, MAX_WIDE_GIST if is_japanese else MAX_GIST)
    mark = ("？" if is_japanese else "?") if is_doubted else ""
    return short[0].upper() + short[1:] + mark


def _gist(sentence: str) -> tuple[str, bool]:
    """(what an English sentence names, whether it is in doubt)."""
    opening = _OPENING.match(sentence)
    if opening is None:
        return _CLAUSE.split(sentence)[0].strip() if len(sentence) > MAX_GIST else sentence, False
    rest = sentence[opening.end() :]
    if _NEGATED.match(rest):
        return "", False
    return _CLAUSE.split(rest)[0].strip(), bool(opening["doubt"] or opening["belief"])


def _japanese_gist(sentence: str) -> tuple[str, bool]:
    """(what a Japanese sentence names, whether it is in doubt)."""
    rest = _OPENING_JA.sub("", sentence, count=1)
    if _UNABLE_JA.search(rest) and not rest.endswith("かもしれません"):
        return "", False
    ending = _ENDING_JA.search(rest)
    if ending is not None:
        rest = rest[: ending.start()]
    return rest.strip("、， "), ending is not None and ending["doubt"] is not None


def _shortened(text: str, length: int) -> str:
    """The text, cut after a whole word where it has words."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    head, space, _ = cut.rpartition(" ")
    return f"{(head if space and len(head) > length // 2 else cut).rstrip()}…"
