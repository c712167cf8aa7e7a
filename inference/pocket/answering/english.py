"""Puts what was found into English sentences."""

from __future__ import annotations

from typing import Final

from inference.pocket.answering.about import About, cells, is_sure, main_of, named_in
from inference.pocket.answering.limits import limit
from inference.pocket.answering.questions import Kind, Question, Subject
from inference.pocket.concepts import COLOURS, KIND_SURE
from inference.pocket.seeing.facts import Facts, Thing
from inference.pocket.seeing.places import PLACES
from inference.pocket.seeing.vocabulary import Vocabulary, plural

# Too wide to say of something unknown: "some kind of object" tells nobody anything.
VAGUE: Final = frozenset(
    [
        "object", "animal", "device", "structure", "implement", "container", "mammal", "machine",
        "invertebrate", "plant", "clothing", "furniture", "food", "tool",
    ]
)  # fmt: skip
NUMBERS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
LIKELY: Final = 0.5
QUITE_SURE: Final = 0.65
GUESSING: Final = 0.1
NOTHING_ELSE: Final = "I see nothing else that I know."


class English:
    """Answers questions from facts."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._names = vocabulary.names

    def answer(  # noqa: C901 - one kind a case
        self, question: Question, facts: Facts, focus: int | None = None
    ) -> str:
        """Answer a question about a picture; `focus` is the name that "it" stands for."""
        about = About(self._vocabulary, question, facts, focus)
        match question.kind:
            case Kind.WHAT:
                return self._shown(facts)
            case Kind.DESCRIBE:
                return self._described(facts)
            case Kind.WHICH_KIND:
                return self._kind(question, facts)
            case Kind.COLOUR:
                return self._colour(about)
            case Kind.BACKGROUND:
                return f"The background is {COLOURS[facts.background]}."
            case Kind.SURE:
                return self._sure(facts)
            case Kind.GUESS:
                if facts.drawn:
                    return f"I see {self._items(facts)}, and I have no other guess."
                return f"It could also be {self._phrase(facts.second)}."
            case Kind.ELSE | Kind.OTHER:
                return self._others(question, facts, about)
            case Kind.AT:
                return self._at(question, facts)
            case Kind.COUNT | Kind.COUNT_ALL:
                return self._count(question, facts, about)
            case Kind.WHERE:
                return self._where(about)
            case Kind.PRESENCE | Kind.WHICH_PICTURE:
                return self._presence(question, about)
            case Kind.IS_IT:
                return self._is_it(question.options[0], about)
            case Kind.IS_COLOURED:
                return self._is_coloured(question, about)
            case Kind.IS_AT:
                return self._is_at(question, about)
            case Kind.EITHER:
                return self._either(question, about)
            case Kind.SHAPE:
                return self._shape(facts)
            case Kind.DRAWN:
                return "It is a simple drawing." if facts.drawn else "It looks like a photo."
            case _:
                return limit(Kind.UNKNOWN, japanese=False)

    # Words.

    def _phrase(self, name: int) -> str:
        return self._names[name].phrase

    def _counted(self, thing: Thing, *, coloured: bool = False) -> str:
        """ "two red circles", "a cat"."""
        colour = COLOURS[thing.colours[0]] if coloured and len(thing.colours) == 1 else ""
        name = self._names[thing.name]
        if thing.count > 1:
            return " ".join(filter(None, [_number(thing.count), colour, name.plural]))
        return f"{_article(colour)} {colour} {name.name}" if colour else name.phrase

    def _the(self, name: int, count: int = 1) -> str:
        """ "the circle is", "the cats are"."""
        known = self._names[name]
        return f"The {known.plural} are" if count > 1 else f"The {known.name} is"

    def _items(self, facts: Facts) -> str:
        """Everything that can be said to be there; empty where nothing is sure."""
        things = [self._counted(thing, coloured=facts.drawn) for thing in facts.things]
        if is_sure(facts) and main_of(facts) is None:
            things.insert(0, self._phrase(facts.first))
        return _listed(things)

    def _guesses(self, facts: Facts) -> str:
        return f"{self._phrase(facts.first)} or {self._phrase(facts.second)}"

    def _unsure(self, facts: Facts) -> str:
        kind = self._names[facts.kind].name
        if facts.kind_sure >= KIND_SURE and kind not in VAGUE:
            return f"I am not sure which kind of {kind} it is. It may be {self._guesses(facts)}."
        if facts.sure < GUESSING:
            return f"I am not sure what this is. My best guess is {self._guesses(facts)}."
        return f"I am not sure, but it may be {self._guesses(facts)}."

    def _seen(self, thing: Thing) -> str:
        return f"I see {self._counted(thing)}"

    # Answers.

    def _shown(self, facts: Facts) -> str:
        items = self._items(facts)
        if not items:
            return self._unsure(facts)
        if not is_sure(facts):
            return f"I see {items}. I am not sure about the rest."
        alone = len(facts.things) + (main_of(facts) is None) == 1
        if alone and not facts.drawn and facts.sure < LIKELY:
            return f"It looks like {items}."
        single = alone and (not facts.things or facts.things[0].count == 1)
        return f"This is {items}." if single else f"I see {items}."

    def _described(self, facts: Facts) -> str:
        behind = COLOURS[facts.background]
        placed = [
            f"{self._counted(thing, coloured=facts.drawn)} {where(thing)}".strip()
            for thing in facts.things
        ]
        if is_sure(facts) and main_of(facts) is None:
            placed.insert(0, self._phrase(facts.first))
        if facts.drawn:
            return f"The drawing shows {_listed(placed)}. The background is {behind}."
        ending = f"It is mostly {_colours(facts.colours)}, and the background is {behind}."
        if len(placed) != 1:
            name = self._names[facts.first].name
            main = f"The {name}" if is_sure(facts) else "The main thing"
            ending = f"{main} is mostly {_colours(facts.colours)}, the background {behind}."
        if not placed:
            return f"{self._unsure(facts)} {ending}"
        return f"The picture shows {_listed(placed)}. {ending}"

    def _kind(self, question: Question, facts: Facts) -> str:
        asked = question.options[0] if question.options else None
        if asked is not None and asked.names and not asked.names & named_in(facts):
            return f"I don't see {_a(asked.word)}. {self._shown(facts)}"
        if asked is not None and facts.first not in asked.names:
            thing = next((t for t in facts.things if t.name in asked.names), None)
            if thing is not None:
                return f"{self._seen(thing)}, but I don't know more about it."
        if not is_sure(facts):
            return self._unsure(facts)
        kind, name = self._names[facts.kind].name, self._names[facts.first].name
        said = name.lower().endswith(kind) or kind == "object"
        return f"It is {self._phrase(facts.first)}{'' if said else f', a kind of {kind}'}."

    def _colour(self, about: About) -> str:
        facts, subject = about.facts, about.question.subject
        if subject is None and about.focus is None:
            if facts.drawn and len(facts.things) > 1:
                parts = [self._is(thing) for thing in facts.things]
                return f"{_listed([parts[0], *map(_lower, parts[1:])])}."
            return f"It is mostly {_colours(facts.colours)}."
        if about.is_unknown:
            return limit(Kind.PART, japanese=False)
        if about.things:
            return f"{_listed([self._is(thing) for thing in about.things])}."
        if about.is_main:
            return f"{self._the(facts.first)} mostly {_colours(facts.colours)}."
        return self._absent(about)

    def _is(self, thing: Thing) -> str:
        if not thing.colours:
            return f"I see {self._counted(thing)}, but can't tell the colour"
        return f"{self._the(thing.name, thing.count)} {_colours(thing.colours)}"

    def _absent(self, about: About) -> str:
        word = about.word
        if about.is_unknown:
            return f"I never learnt what “{word}” looks like, so I can't tell."
        if about.is_hinted:
            return f"There may be {_a(word)}, but I am not sure."
        return f"I don't see {_a(word)}."

    def _sure(self, facts: Facts) -> str:
        if facts.drawn:
            return f"I am quite sure that I see {self._items(facts)}."
        if facts.sure >= QUITE_SURE:
            return f"I am quite sure that it is {self._phrase(facts.first)}, but I can be wrong."
        if is_sure(facts):
            return f"I am fairly sure that it is {self._phrase(facts.first)}, but I may be wrong."
        return f"I am not sure. It may be {self._guesses(facts)}."

    def _others(self, question: Question, facts: Facts, about: About) -> str:
        main = about.focus if about.focus is not None else facts.first
        others = [thing for thing in facts.things if thing.name != main]
        if not others and main != facts.first and is_sure(facts):
            return f"I also see {self._phrase(facts.first)}."
        if not others:
            return NOTHING_ELSE
        if question.kind is Kind.OTHER:
            return f"The other one is {self._counted(others[0])} {where(others[0])}".strip() + "."
        return f"I also see {_listed([self._counted(thing) for thing in others])}."

    def _at(self, question: Question, facts: Facts) -> str:
        there = [t for t in facts.things if any(set(question.place) <= set(p) for p in cells(t))]
        place = where_words(question.place)
        if there:
            return f"I see {_listed([self._counted(thing) for thing in there])} {place}."
        return f"I see nothing that I know {place}."

    def _count(  # noqa: C901 - one wording a line
        self, question: Question, facts: Facts, about: About
    ) -> str:
        if question.kind is Kind.COUNT_ALL:
            total = sum(thing.count for thing in facts.things)
            if not total:
                return self._shown(facts)
            word = "thing" if total == 1 else "things"
            return f"I see {_number(total)} {word}: {self._items(facts)}."
        if about.is_unknown:
            return f"I never learnt what “{about.word}” looks like, so I can't count."
        things = about.things
        if question.subject is None and about.focus is None:
            things = facts.things[:1]
        if question.colours and things:
            things = tuple(t for t in things if set(question.colours) & set(t.colours)) or things
        if things:
            total = sum(thing.count for thing in things)
            name = self._names[things[0].name]
            word = name.name if len({t.name for t in things}) == 1 else about.word
            if total == 1:
                return f"I see one {word}."
            return f"I see {_number(total)} {plural(word)}."
        if about.is_main or question.subject is None:
            if not is_sure(facts):
                return self._unsure(facts)
            return f"I see {self._phrase(facts.first)}, but I did not find each one to count."
        if about.is_hinted:
            return self._absent(about)
        return f"I don't see any {plural(about.word)}."

    def _where(self, about: About) -> str:
        if about.is_unknown:
            return self._absent(about)
        facts, things = about.facts, about.things
        if about.question.subject is None and about.focus is None:
            things = facts.things[:1]
        if things:
            parts = []
            for thing in things:
                places = [where_words(place) for place in dict.fromkeys(cells(thing))]
                parts.append(f"{self._the(thing.name, thing.count)} {_listed(places)}")
            return f"{_listed([parts[0], *map(_lower, parts[1:])])}."
        if about.is_main or about.question.subject is None:
            if not is_sure(facts):
                return self._unsure(facts)
            return f"I see {self._phrase(facts.first)}, but I can't tell where exactly."
        return self._absent(about)

    def _presence(self, question: Question, about: About) -> str:
        facts = about.facts
        for thing in about.things:
            if question.place and not any(set(question.place) <= set(p) for p in cells(thing)):
                is_at = _lower(self._the(thing.name, thing.count))
                return f"No, {is_at} {where(thing) or 'elsewhere'}."
            if (
                question.colours
                and thing.colours
                and not set(question.colours) & set(thing.colours)
            ):
                look = "they look" if thing.count > 1 else "it looks"
                return f"{self._seen(thing)}, but {look} {_colours(thing.colours)}."
            return f"Yes, {self._seen(thing)}."
        if about.is_main:
            if not is_sure(facts):
                return f"Maybe: it may be {self._guesses(facts)}."
            if question.colours and not set(question.colours) & set(facts.colours):
                return f"I see {self._phrase(facts.first)}, but it looks {_colours(facts.colours)}."
            return f"Yes, I see {self._phrase(facts.first)}."
        if about.mass >= KIND_SURE:
            return f"Yes, I see {_a(about.word)}, but I am not sure which kind."
        if about.is_unknown or about.is_hinted:
            return self._absent(about)
        if not facts.things and not is_sure(facts):
            return f"I don't see {_a(about.word)}, but I am not sure."
        missed = "" if facts.drawn else ", but I can miss small things"
        return f"No, I don't see {_a(about.word)}{missed}."

    def _is_it(self, option: Subject, about: About) -> str:
        facts = about.facts
        if about.things and about.question.subject is not None:
            thing = about.things[0]
            word = "Yes" if thing.name in option.names else "No"
            return f"{word}, it is {self._counted(thing)}."
        if facts.drawn:
            found = any(thing.name in option.names for thing in facts.things)
            return f"{'Yes' if found else 'No'}, I see {self._items(facts)}."
        right = facts.first in option.names or about.mass_of(option) >= KIND_SURE
        if is_sure(facts):
            return f"{'Yes' if right else 'No'}, it is {self._phrase(facts.first)}."
        if about.mass_of(option) >= KIND_SURE:
            return f"Yes, I think so, but I am not sure which kind of {option.word} it is."
        if any(thing.name in option.names for thing in facts.things):
            return f"I see {self._items(facts)}. I am not sure about the rest."
        start = "Maybe" if right or facts.second in option.names else "I don't think so"
        return f"{start}, it may be {self._guesses(facts)}, but I am not sure."

    def _is_coloured(self, question: Question, about: About) -> str:
        facts = about.facts
        colours = facts.colours
        if about.question.subject is not None or about.focus is not None:
            if about.things:
                colours = about.things[0].colours
            elif not about.is_main:
                return self._absent(about)
        if not colours:
            return "I can't tell its colour."
        word = "Yes" if set(question.colours) <= set(colours) else "No"
        return f"{word}, it is mostly {_colours(colours)}."

    def _is_at(self, question: Question, about: About) -> str:
        things = about.things or (about.facts.things[:1] if about.question.subject is None else ())
        if not things:
            return self._where(about)
        is_there = any(set(question.place) <= set(place) for place in cells(things[0]))
        places = _listed([where_words(place) for place in dict.fromkeys(cells(things[0]))])
        return f"{'Yes' if is_there else 'No'}, it is {places}."

    def _either(self, question: Question, about: About) -> str:
        facts = about.facts
        here = named_in(facts)
        right = [option for option in question.options if option.names & here]
        if not is_sure(facts) and not right:
            return self._unsure(facts)
        if right and facts.first not in right[0].names:
            thing = next((t for t in facts.things if t.name in right[0].names), None)
            if thing is not None:
                return f"{self._seen(thing)}."
        answer = self._shown(facts) if facts.drawn else f"It is {self._phrase(facts.first)}."
        return answer if right else f"Neither. {answer}"

    def _shape(self, facts: Facts) -> str:
        shapes = [thing for thing in facts.things if thing.name in self._vocabulary.shapes]
        if not shapes or not facts.drawn:
            return "I can only tell the shapes of simple drawings."
        if len(shapes) == 1 and shapes[0].count == 1:
            return f"It is {self._phrase(shapes[0].name)}."
        return f"I see {_listed([self._counted(thing, coloured=True) for thing in shapes])}."


def where(thing: Thing) -> str:
    """ "on the left", "at the top left"; empty where they are not together."""
    return where_words(thing.place) if thing.place else ""


def where_words(place: tuple[int, ...]) -> str:
    """The words for a place."""
    words = [PLACES[p] for p in place]
    if words == ["middle"]:
        return "in the middle"
    preposition = "on" if words[:1] in (["left"], ["right"]) else "at"
    return f"{preposition} the {' '.join(words)}"


def _colours(colours: tuple[int, ...]) -> str:
    return " and ".join(COLOURS[colour] for colour in colours)


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _listed(words: list[str]) -> str:
    """ "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"


def _a(word: str) -> str:
    return f"{_article(word)} {word}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if not text.startswith("I ") else text
