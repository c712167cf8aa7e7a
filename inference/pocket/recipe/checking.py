"""Asks about graphics that were drawn for the purpose, and questions put in fresh words."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from inference.pocket.answering.conversation import Conversation, is_other_language
from inference.pocket.answering.english import NUMBERS
from inference.pocket.answering.english_questions import EnglishReader
from inference.pocket.answering.japanese_questions import COLOURS_JA, JapaneseReader, is_japanese
from inference.pocket.answering.questions import LIMITS, Kind
from inference.pocket.concepts import COLOURS
from inference.pocket.recipe.graphics import Graphic, draw_graphic
from inference.pocket.recipe.wordings import CAN, CAN_JA, CANNOT, CANNOT_JA
from inference.pocket.seeing.facts import Facts
from inference.pocket.seeing.looking import Eyes
from inference.pocket.seeing.parts import read
from inference.pocket.seeing.places import PLACES
from inference.pocket.seeing.vocabulary import Vocabulary, load_vocabulary, plural
from inference.types import Message, Picture, Role

SEED = 20261129


@dataclass
class Score:
    """Right answers of all, by what was asked for."""

    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, *, right: bool) -> None:
        """Count one answer."""
        self.asked[what] += 1
        self.right[what] += right

    def lines(self) -> list[str]:
        """One line for each kind."""
        return [
            f"{what}: {self.right[what]} of {number} ({self.right[what] / number:.0%})"
            for what, number in self.asked.items()
        ]


def check_wordings() -> Score:
    """Whether questions in words of `wordings.py` are taken for what they are."""
    vocabulary = load_vocabulary()
    readers = EnglishReader(vocabulary), JapaneseReader(vocabulary)
    score = Score()

    def kinds(text: str) -> set[Kind]:
        if is_other_language(text):
            return {Kind.LANGUAGE}
        return {question.kind for question in readers[is_japanese(text)].read(text)}

    for what, texts in (("English", CANNOT), ("Japanese", CANNOT_JA)):
        for text in texts:
            score.add(f"{what}, cannot be answered", right=kinds(text) <= LIMITS)
    for what, table in (("English", CAN), ("Japanese", CAN_JA)):
        for kind, texts in table.items():
            for text in texts:
                score.add(f"{what}, can be answered", right=Kind(kind) in kinds(text))
    return score


def check_graphics(eyes: Eyes, number: int) -> Score:
    """Ask about graphics with up to three kinds of shapes, up to four of each."""
    rng = random.Random(SEED)
    score = Score()
    for _ in range(number):
        graphic = draw_graphic(rng, groups=rng.randint(1, 3), most=4)
        facts = eyes.look(read(graphic.image))
        conversation = Conversation(eyes.vocabulary, partial(_known, facts))
        for what, question, wanted in _questions(graphic, rng, eyes.vocabulary):
            answer = _ask(conversation, question)
            score.add(what, right=any(word in answer for word in wanted))
    return score


def _known(facts: Facts, _picture: Picture) -> Facts:
    return facts


def _ask(conversation: Conversation, question: str) -> str:
    picture = Picture(digest="", data=b"", width_px=1, height_px=1)
    message = Message(role=Role.USER, text=question, pictures=(picture,))
    answer = conversation.answer((message,))
    return answer if isinstance(answer, str) else ""


def _questions(
    graphic: Graphic, rng: random.Random, vocabulary: Vocabulary
) -> Iterator[tuple[str, str, list[str]]]:
    """What is asked for, the question, and the answers that hold it."""
    counts = Counter[str]()
    for thing in graphic.things:
        counts[thing.name] += len(thing.middles)
    for thing in graphic.things:
        total = counts[thing.name]
        said = thing.name if total == 1 else plural(thing.name)
        yield "shape", "What is in this picture?", [thing.name]
        yield "count", f"How many {plural(thing.name)} are there?", [f"{NUMBERS[total]} {said}."]
        yield "presence, yes", f"Is there a {thing.name}?", ["Yes"]
        if total == len(thing.middles) and thing.colour:
            ja = vocabulary.names[vocabulary.index[thing.name]].ja
            colour_ja = COLOURS_JA[COLOURS.index(thing.colour)]
            yield "colour", f"What colour is the {thing.name}?", [f" {thing.colour}."]
            yield "Japanese", f"{ja}は何色ですか？", [f"{colour_ja}です。"]
            yield "Japanese", f"{ja}はいくつありますか？", [f"{total}個あります。"]
        if total == 1:
            (place,) = thing.places
            yield "place", f"Where is the {thing.name}?", [" ".join(PLACES[p] for p in place) + "."]
    absent = rng.choice([n for n in ("circle", "star", "cat", "dog", "cup") if n not in counts])
    yield "presence, no", f"Is there a {absent}?", ["No"]
    yield "background", "What colour is the background?", [f"{graphic.ground}."]
