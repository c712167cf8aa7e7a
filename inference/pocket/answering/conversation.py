"""From the messages of a conversation to an answer that was found, or to the language model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from inference.pocket.answering.about import named_in
from inference.pocket.answering.english import English
from inference.pocket.answering.english_questions import EnglishReader, is_foreign
from inference.pocket.answering.japanese import Japanese
from inference.pocket.answering.japanese_questions import JapaneseReader, is_japanese
from inference.pocket.answering.limits import (
    HELLO,
    HELLO_JA,
    NO_PICTURE,
    NO_PICTURE_JA,
    NOT_SO_MANY,
    NOT_SO_MANY_JA,
    SELF,
    SELF_JA,
    THANKS,
    THANKS_JA,
    limit,
)
from inference.pocket.answering.questions import CHAT, LIMITS, Kind, Question
from inference.pocket.seeing.facts import Facts
from inference.pocket.seeing.vocabulary import Vocabulary
from inference.types import Message, Picture, Role

MAX_QUOTED_CHARS: Final = 600
_QUOTED: Final = re.compile(
    r"(?:Text in picture (?P<number>\d+)|Picture (?P<page>\d+) is [^\n]*\. Its text), quoted\."
    r"[^\n]*\n(?P<lines>(?:> ?[^\n]*(?:\n|$))+)\s*"
)
_PAGE: Final = re.compile(r"^Picture \d+ is [^\n]*\.\n\n", re.MULTILINE)
"""A page without text."""
_MOVING: Final = re.compile(r"^(?:Picture \d+ is [^\n]*something that moves[^\n]*\n+)+")
_IN_ENGLISH: Final = re.compile(r"\s*Answer in English unless[^\n]*$")
_IN_JAPANESE: Final = re.compile(r"\s*特に指定がなければ、日本語で[^\n]*$")
_SPEAKER: Final = re.compile(r"^[^\s:?？。][^:\n?？。]{0,60}: (?=\S)")
_OTHER_SCRIPT: Final = re.compile(
    r"[\u0370-\u05ff\u0600-\u06ff\u0900-\u0e7f\u10a0-\u10ff\uac00-\ud7a3\u4e00-\u9fff]"
)
_HINTS_AT_PICTURE: Final = LIMITS - {
    Kind.WHEN, Kind.WEATHER, Kind.MATHS, Kind.LANGUAGE, Kind.WHY, Kind.UNKNOWN, Kind.QUALITY,
    Kind.DOING, Kind.RELATION,
}  # fmt: skip
"""Of what it cannot tell, what asks about a picture when it says "this"."""
_SUBJECT_IS_FOCUS: Final = frozenset(
    [Kind.COLOUR, Kind.COUNT, Kind.WHERE, Kind.PRESENCE, Kind.IS_IT, Kind.IS_COLOURED, Kind.IS_AT]
)
_ELLIPTIC: Final = frozenset([Kind.COLOUR, Kind.COUNT, Kind.WHERE, Kind.PRESENCE, Kind.IS_IT])
"""Kinds of which "and the cup?" asks again."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A message as it was written by a person."""

    text: str
    quoted: dict[int, str]
    """Text that was read in pictures, by the picture's number."""
    japanese: bool
    """Whether it is to be answered in Japanese."""


class Conversation:
    """Answers the last message of conversations."""

    def __init__(self, vocabulary: Vocabulary, look: Callable[[Picture], Facts]) -> None:
        """`look` finds what is in a picture; it may be asked about one picture many times."""
        self._vocabulary = vocabulary
        self._look = look
        self._readers = (EnglishReader(vocabulary), JapaneseReader(vocabulary))
        self._english, self._japanese = English(vocabulary), Japanese(vocabulary)

    def answer(self, messages: tuple[Message, ...]) -> str | tuple[Message, ...]:
        """Return the answer, or the messages that the language model is to answer.

        Where nothing of the picture is asked for, the model gets the words alone.
        Raises: what `look` raises.
        """
        turns = [message for message in messages if message.role is Role.USER]
        if not turns or messages[-1].role is not Role.USER:
            return messages
        asked = _with_quotes(_asked(turns[-1]), turns)
        if is_other_language(asked.text):
            return limit(Kind.LANGUAGE, japanese=asked.japanese)
        questions = self._read(asked.text)
        pictures = [picture for turn in turns for picture in turn.pictures]
        latest = next((turn.pictures for turn in reversed(turns) if turn.pictures), ())
        said: list[str] = []
        for question in questions:
            if question.kind in CHAT or not pictures:
                answer = _without_picture(question, asked, has_picture=bool(pictures))
            else:
                meant = self._again(question, turns) if question.kind is Kind.SAME else question
                answer = self._about(meant, asked, pictures, latest, turns)
            if answer is None:
                return messages if asked.quoted else _words_alone(messages)
            if answer not in said:
                said.append(answer)
        return ("" if asked.japanese else " ").join(said)

    def _read(self, text: str) -> list[Question]:
        english, japanese = self._readers
        return japanese.read(text) if is_japanese(text) else english.read(text)

    def _about(
        self,
        question: Question,
        asked: _Asked,
        pictures: list[Picture],
        latest: tuple[Picture, ...],
        turns: list[Message],
    ) -> str | None:
        """Answer about the pictures that are meant."""
        if asked.quoted and question.kind is Kind.TEXT and _asks_for_all(asked.text):
            return _read_out(asked)
        if asked.quoted and question.kind in LIMITS:
            return None  # the answer may be in the text
        if question.kind in LIMITS:
            return limit(question.kind, japanese=asked.japanese)
        if question.picture is not None:
            index = question.picture - 1 if question.picture > 0 else len(pictures) - 1
            if index >= len(pictures):
                words = NOT_SO_MANY_JA if asked.japanese else NOT_SO_MANY
                return words.format(number=question.picture)
            return self._of(question, self._look(pictures[index]), asked, turns)
        if len(latest) == 1:
            return self._of(question, self._look(latest[0]), asked, turns)
        facts = [self._look(picture) for picture in latest]
        first = len(pictures) - len(latest) + 1
        if question.kind is Kind.WHICH_PICTURE:
            return self._which(question, facts, first, japanese=asked.japanese)
        label = "{}枚目：{}" if asked.japanese else "Picture {}: {}"
        answers = [
            label.format(first + i, self._of(question, found, asked, turns))
            for i, found in enumerate(facts)
        ]
        return ("" if asked.japanese else " ").join(answers)

    def _of(self, question: Question, facts: Facts, asked: _Asked, turns: list[Message]) -> str:
        speaker = self._japanese if asked.japanese else self._english
        return speaker.answer(question, facts, self._focus(facts, turns))

    def _which(self, question: Question, facts: list[Facts], first: int, *, japanese: bool) -> str:
        subject = question.subject
        names = subject.names if subject else frozenset()
        word = subject.word if subject else ""
        found = [str(first + i) for i, one in enumerate(facts) if names & named_in(one)]
        if japanese:
            return f"{'、'.join(found)}枚目です。" if found else f"{word}は見当たりません。"
        if not found:
            return f"I see no {word} in any of them."
        listed = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
        return f"Picture {listed}." if len(found) == 1 else f"Pictures {listed}."

    def _focus(self, facts: Facts, turns: list[Message]) -> int | None:
        """The name that "it" stands for: what was last asked about and found."""
        last = max(i for i, turn in enumerate(turns) if turn.pictures)
        focus: int | None = None
        for turn in turns[last:-1]:
            for question in self._read(_asked(turn).text):
                if question.kind in (Kind.WHAT, Kind.DESCRIBE):
                    focus = None
                elif question.kind is Kind.OTHER:
                    others = [t.name for t in facts.things if t.name != (focus or facts.first)]
                    focus = others[0] if others else focus
                elif question.subject is not None and (
                    question.kind in _SUBJECT_IS_FOCUS or question.kind is Kind.SAME
                ):
                    here = question.subject.names & named_in(facts)
                    focus = next(iter(sorted(here)), focus)
        return focus

    def _again(self, question: Question, turns: list[Message]) -> Question:
        """ "And the cup?": the previous question about something else."""
        for turn in reversed(turns[:-1]):
            for before in reversed(self._read(_asked(turn).text)):
                if before.kind is Kind.SAME:
                    continue
                if turns[-1].pictures and question.subject is None:
                    return before
                if before.kind in _ELLIPTIC and question.subject is not None:
                    kind = Kind.PRESENCE if before.kind is Kind.IS_IT else before.kind
                    return Question(kind=kind, subject=question.subject)
                break
            break
        if question.subject is None:
            return Question(kind=Kind.WHAT)
        return Question(kind=Kind.PRESENCE, subject=question.subject)


def _words_alone(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    return tuple(replace(message, pictures=()) for message in messages)


def _asked(message: Message) -> _Asked:
    """Take a message apart: text that was read, who speaks, the language that is asked for."""
    text = _MOVING.sub("", message.text)
    quoted = {int(m["number"] or m["page"]): _unquoted(m["lines"]) for m in _QUOTED.finditer(text)}
    text = _PAGE.sub("", _QUOTED.sub("", text)).strip()
    in_english, in_japanese = _IN_ENGLISH.search(text), _IN_JAPANESE.search(text)
    text = _IN_JAPANESE.sub("", _IN_ENGLISH.sub("", text))
    text = _SPEAKER.sub("", text)
    japanese = (is_japanese(text) or in_japanese is not None) and in_english is None
    return _Asked(text, quoted, japanese)


def _with_quotes(asked: _Asked, turns: list[Message]) -> _Asked:
    """Without pictures of its own, a message is about the text of the latest ones."""
    if turns[-1].pictures:
        return asked
    pictured = [turn for turn in turns if turn.pictures]
    return replace(asked, quoted=_asked(pictured[-1]).quoted) if pictured else asked


def _unquoted(lines: str) -> str:
    return "\n".join(line.removeprefix("> ") for line in lines.splitlines())


def is_other_language(text: str) -> bool:
    """Whether a text is neither English nor Japanese."""
    if is_japanese(text):
        return False
    return _OTHER_SCRIPT.search(text) is not None or is_foreign(text)


def _without_picture(question: Question, asked: _Asked, *, has_picture: bool) -> str | None:
    """Answer what is about no picture, or say that there is none."""
    japanese = asked.japanese
    match question.kind:
        case Kind.SELF:
            return SELF_JA if japanese else SELF
        case Kind.HELLO:
            return HELLO_JA if japanese else HELLO
        case Kind.THANKS:
            return THANKS_JA if japanese else THANKS
        case Kind.MATHS:
            return limit(Kind.MATHS, japanese=japanese)
        case Kind.TALK if japanese:
            return limit(Kind.UNKNOWN, japanese=True) if has_picture else NO_PICTURE_JA
        case Kind.TALK:
            return None
    if japanese:
        return NO_PICTURE_JA
    if question.kind in LIMITS and question.kind not in _HINTS_AT_PICTURE:
        return None
    return NO_PICTURE if question.shows else None


def _asks_for_all(text: str) -> bool:
    """Whether a question asks for all that is written, not for something in it."""
    words = len(re.findall(r"[A-Za-z]+", text))
    return (
        words <= 8 and re.search(r"\b(?:total|price|date|name|number|how|when|who)\b", text) is None
    )


def _read_out(asked: _Asked) -> str:
    """Quote what was read."""
    parts = []
    for number, text in asked.quoted.items():
        shown = text if len(text) <= MAX_QUOTED_CHARS else text[:MAX_QUOTED_CHARS].rstrip() + " …"
        whole = " / ".join(line for line in shown.splitlines() if line)
        if asked.japanese:
            start = f"{number}枚目には" if len(asked.quoted) > 1 else ""
            parts.append(f"{start}「{whole}」と書かれています。")
        else:
            start = f"Picture {number} says" if len(asked.quoted) > 1 else "It says"
            parts.append(f"{start}: “{whole}”")
    return "\n".join(parts)
