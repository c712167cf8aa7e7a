"""What a question speaks of, among the facts; the same for each language."""

from __future__ import annotations

from inference.pocket.answering.questions import Question, Subject
from inference.pocket.concepts import SURE
from inference.pocket.seeing.facts import Facts, Thing
from inference.pocket.seeing.places import place_of
from inference.pocket.seeing.vocabulary import Vocabulary


class About:
    """What a question speaks of, among the facts."""

    def __init__(
        self, vocabulary: Vocabulary, question: Question, facts: Facts, focus: int | None
    ) -> None:
        self._vocabulary = vocabulary
        self.question = question
        self.facts = facts
        here = named_in(facts)
        self.focus = focus if focus in here and question.subject is None else None
        subject = question.subject
        if subject is None and self.focus is not None:
            subject = Subject(vocabulary.names[self.focus].name, frozenset([self.focus]))
        self._subject = subject
        names: frozenset[int] = subject.names if subject is not None else frozenset()
        self.word = subject.word if subject is not None else "thing"
        self.is_unknown = subject is not None and not names
        """It is none of the things that the pocket knows."""
        self.things = tuple(thing for thing in facts.things if thing.name in names)
        self.is_main = facts.first in names
        self.is_hinted = bool(names & set(facts.hints)) or (
            facts.second in names and not is_sure(facts)
        )

    @property
    def mass(self) -> float:
        """How likely the main thing is what is asked for."""
        return 0.0 if self._subject is None else self.mass_of(self._subject)

    def mass_of(self, subject: Subject) -> float:
        """How likely the main thing is of a kind."""
        kind = self._vocabulary.kind_index.get(subject.word)
        return self.facts.masses[kind] if kind is not None and self.facts.masses else 0.0


def is_sure(facts: Facts) -> bool:
    """Whether the main thing is named without doubt."""
    return facts.sure >= SURE


def main_of(facts: Facts) -> Thing | None:
    """The main thing among the placed ones."""
    return next((thing for thing in facts.things if thing.name == facts.first), None)


def named_in(facts: Facts) -> frozenset[int]:
    """The names of everything that is surely there."""
    main = {facts.first} if is_sure(facts) else set()
    return frozenset(main | {thing.name for thing in facts.things})


def cells(thing: Thing) -> list[tuple[int, ...]]:
    """The place of each."""
    return [place_of([box]) for box in thing.boxes]
