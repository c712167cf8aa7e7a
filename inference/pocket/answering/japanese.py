"""Puts what was found into Japanese sentences."""

from __future__ import annotations

from typing import Final

from inference.pocket.answering.about import About, cells, is_sure, main_of, named_in
from inference.pocket.answering.english import GUESSING, QUITE_SURE
from inference.pocket.answering.japanese_questions import COLOURS_JA
from inference.pocket.answering.limits import limit
from inference.pocket.answering.questions import Kind, Question, Subject
from inference.pocket.concepts import KIND_SURE
from inference.pocket.seeing.facts import Facts, Thing
from inference.pocket.seeing.vocabulary import Vocabulary

PLACES_JA: Final = ("左", "右", "上", "下", "真ん中")
NOTHING_ELSE: Final = "ほかに分かる物は写っていません。"


class Japanese:
    """Answers questions from facts."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._names = vocabulary.names

    def answer(  # noqa: C901 - one kind a case
        self, question: Question, facts: Facts, focus: int | None = None
    ) -> str:
        """See `English.answer`."""
        about = About(self._vocabulary, question, facts, focus)
        match question.kind:
            case Kind.WHAT:
                return self._shown(facts)
            case Kind.DESCRIBE:
                return self._described(facts)
            case Kind.WHICH_KIND:
                return self._kind(facts)
            case Kind.COLOUR:
                return self._colour(about)
            case Kind.BACKGROUND:
                return f"背景は{COLOURS_JA[facts.background]}です。"
            case Kind.SURE:
                return self._sure(facts)
            case Kind.GUESS:
                return f"{self._name(facts.second)}の可能性もあります。"
            case Kind.ELSE | Kind.OTHER:
                return self._others(facts, about)
            case Kind.AT:
                return self._at(question, facts)
            case Kind.COUNT | Kind.COUNT_ALL:
                return self._count(question, facts, about)
            case Kind.WHERE | Kind.IS_AT:
                return self._where(question, about)
            case Kind.PRESENCE | Kind.WHICH_PICTURE:
                return self._presence(about)
            case Kind.IS_IT:
                return self._is_it(question.options[0], about)
            case Kind.IS_COLOURED:
                colours = about.things[0].colours if about.things else facts.colours
                start = "はい" if set(question.colours) <= set(colours) else "いいえ"
                return f"{start}、主に{_colours(colours)}です。"
            case Kind.EITHER:
                return self._either(question, facts)
            case Kind.SHAPE:
                shapes = [t for t in facts.things if t.name in self._vocabulary.shapes]
                if not facts.drawn or not shapes:
                    return "形が分かるのは簡単な図だけです。"
                return f"{self._listed(shapes)}です。"
            case Kind.DRAWN:
                return "簡単な図です。" if facts.drawn else "写真のようです。"
            case _:
                return limit(Kind.UNKNOWN, japanese=True)

    # Words.

    def _name(self, name: int) -> str:
        """The Japanese name of a thing, or of the narrowest kind that has one."""
        known = self._names[name]
        if known.ja:
            return known.ja
        for kind in (*known.kinds, self._names[self._vocabulary.wide(name)].name):
            index = self._vocabulary.index.get(kind)
            if index is not None and self._names[index].ja:
                return self._names[index].ja
        return "物"

    def _is_alive(self, name: int) -> bool:
        return bool(self._vocabulary.words_for(name) & {"person", "animal"})

    def _there(self, name: int) -> str:
        return "います" if self._is_alive(name) else "あります"

    def _number(self, thing: Thing) -> str:
        words = self._vocabulary.words_for(thing.name)
        counter = "人" if "person" in words else "匹" if "animal" in words else "個"
        return f"{thing.count}{counter}"

    def _listed(self, things: list[Thing]) -> str:
        return "と".join(
            self._name(t.name) if t.count == 1 else f"{self._name(t.name)}{self._number(t)}"
            for t in things
        )

    def _items(self, facts: Facts) -> str:
        first = [] if main_of(facts) or not is_sure(facts) else [self._name(facts.first)]
        things = [self._listed(list(facts.things))] if facts.things else []
        return "と".join(dict.fromkeys(first + things))

    def _guesses(self, facts: Facts) -> str:
        one, other = self._name(facts.first), self._name(facts.second)
        return one if one == other else f"{one}か{other}"

    def _unsure(self, facts: Facts) -> str:
        kind = self._names[facts.kind].ja
        if facts.kind_sure >= KIND_SURE and kind and kind != "物":
            return f"{kind}のようですが、種類ははっきりしません。"
        if facts.sure < GUESSING:
            return f"何が写っているかはっきりしません。強いて言えば{self._guesses(facts)}です。"
        return f"はっきりしませんが、{self._guesses(facts)}かもしれません。"

    # Answers.

    def _shown(self, facts: Facts) -> str:
        items = self._items(facts)
        if not items:
            return self._unsure(facts)
        rest = "" if is_sure(facts) else "ほかははっきりしません。"
        return f"{items}が写っています。{rest}"

    def _described(self, facts: Facts) -> str:
        ending = f"主な色は{_colours(facts.colours)}で、背景は{COLOURS_JA[facts.background]}です。"
        placed = [
            f"{places_ja(t.place)}に{self._listed([t])}" if t.place else self._listed([t])
            for t in facts.things
        ]
        if is_sure(facts) and main_of(facts) is None:
            placed.insert(0, self._name(facts.first))
        if not placed:
            return self._unsure(facts) + ending
        return f"{'、'.join(placed)}が写っています。{ending}"

    def _kind(self, facts: Facts) -> str:
        if not is_sure(facts):
            return self._unsure(facts)
        name, kind = self._name(facts.first), self._names[facts.kind].ja
        if kind and kind not in name and kind != "物":
            return f"{name}です。{kind}の一種です。"
        return f"{name}です。"

    def _colour(self, about: About) -> str:
        facts = about.facts
        if about.is_unknown:
            return limit(Kind.PART, japanese=True)
        if about.things:
            thing = about.things[0]
            if not thing.colours:
                return f"{self._name(thing.name)}の色ははっきりしません。"
            return f"{self._name(thing.name)}は{_colours(thing.colours)}です。"
        if about.question.subject is not None and not about.is_main:
            return self._absent(about)
        return f"主に{_colours(facts.colours)}です。"

    def _absent(self, about: About) -> str:
        if about.is_unknown:
            return f"「{about.word}」は知らないため、分かりません。"
        if about.is_hinted:
            return f"{about.word}かもしれない物がありますが、はっきりしません。"
        return f"{about.word}は見当たりません。"

    def _sure(self, facts: Facts) -> str:
        if facts.drawn:
            return f"はい、{self._items(facts)}だと思います。"
        if is_sure(facts):
            start = "かなり自信があります" if facts.sure >= QUITE_SURE else "おそらくそうです"
            name = self._name(facts.first)
            return f"{start}。{name}だと思いますが、間違っているかもしれません。"
        return f"自信はありません。{self._guesses(facts)}かもしれません。"

    def _others(self, facts: Facts, about: About) -> str:
        main = about.focus if about.focus is not None else facts.first
        others = [thing for thing in facts.things if thing.name != main]
        return f"ほかに{self._listed(others)}が写っています。" if others else NOTHING_ELSE

    def _at(self, question: Question, facts: Facts) -> str:
        there = [t for t in facts.things if any(set(question.place) <= set(p) for p in cells(t))]
        place = places_ja(question.place)
        if not there:
            return f"{place}に分かる物は見当たりません。"
        return f"{place}に{self._listed(there)}が{self._there(there[0].name)}。"

    def _count(self, question: Question, facts: Facts, about: About) -> str:
        if question.kind is Kind.COUNT_ALL and facts.things:
            total = sum(thing.count for thing in facts.things)
            return f"全部で{total}個あります。{self._listed(list(facts.things))}です。"
        things = about.things
        if question.subject is None and about.focus is None:
            things = facts.things[:1]
        if things:
            total = sum(thing.count for thing in things)
            whole = Thing(name=things[0].name, boxes=(things[0].boxes[0],) * total)
            word = self._name(things[0].name) if len(things) == 1 else about.word
            return f"{word}が{self._number(whole)}{self._there(things[0].name)}。"
        if about.is_main or question.subject is None:
            if not is_sure(facts):
                return self._unsure(facts)
            return f"{self._name(facts.first)}が写っていますが、数は数えられませんでした。"
        return self._absent(about)

    def _where(self, question: Question, about: About) -> str:
        facts, things = about.facts, about.things
        if about.question.subject is None and about.focus is None:
            things = facts.things[:1]
        if not things:
            if about.question.subject is not None and not about.is_main:
                return self._absent(about)
            return "位置ははっきりしません。"
        places = list(dict.fromkeys(cells(things[0])))
        said = "と".join(places_ja(place) for place in places)
        start = ""
        if question.kind is Kind.IS_AT:
            right = any(set(question.place) <= set(place) for place in places)
            start = "はい、" if right else "いいえ、"
        there = self._there(things[0].name)
        return f"{start}{self._name(things[0].name)}は{said}に{there}。"

    def _presence(self, about: About) -> str:
        facts, word = about.facts, about.word
        for thing in about.things:
            amount = self._number(thing) if thing.count > 1 else ""
            return f"はい、{self._name(thing.name)}が{amount}{self._there(thing.name)}。"
        if about.is_main:
            if not is_sure(facts):
                return f"はっきりしませんが、{self._guesses(facts)}かもしれません。"
            return f"はい、{self._name(facts.first)}が写っています。"
        if about.is_unknown or about.is_hinted:
            return self._absent(about)
        missed = "" if facts.drawn else "小さな物は見落とすことがあります。"
        return f"いいえ、{word}は見当たりません。{missed}"

    def _is_it(self, option: Subject, about: About) -> str:
        facts = about.facts
        if any(thing.name in option.names for thing in facts.things):
            return f"はい、{option.word}です。"
        right = facts.first in option.names or about.mass_of(option) >= KIND_SURE
        if not is_sure(facts) and not right:
            return f"違うと思いますが、はっきりしません。{self._guesses(facts)}かもしれません。"
        if right and not is_sure(facts):
            return f"{option.word}かもしれませんが、はっきりしません。"
        start = "はい" if right else "いいえ"
        return f"{start}、{self._items(facts) or self._name(facts.first)}です。"

    def _either(self, question: Question, facts: Facts) -> str:
        here = named_in(facts)
        right = [option for option in question.options if option.names & here]
        if right:
            return f"{right[0].word}です。"
        if not is_sure(facts):
            return self._unsure(facts)
        return f"どちらでもなく、{self._name(facts.first)}です。"


def places_ja(place: tuple[int, ...]) -> str:
    """ "左上", "真ん中"."""
    return "".join(PLACES_JA[p] for p in sorted(place))


def _colours(colours: tuple[int, ...]) -> str:
    return "と".join(COLOURS_JA[colour] for colour in colours) or "はっきりしない色"
