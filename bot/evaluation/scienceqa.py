"""ScienceQA in its own layout: problems.json, pid_splits.json and a folder per picture.

Source of the layout and of the groups: lupantech/ScienceQA, README.md and tools/evaluate_acc.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.errors import CommandFailed
from bot.evaluation.choices import MAX_CHOICES, picked, prompt_of
from bot.evaluation.files import is_there, json_in
from bot.evaluation.questions import Answers, Asked, Json, Question
from bot.evaluation.tables import percent, table_of

PROBLEMS, SPLITS = "problems.json", "pid_splits.json"
_GRADE = re.compile(r"grade(\d{1,2})")
_TRUTHLESS = (None, "", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One question of the data set, sound enough to be asked."""

    id: str
    question: str = field(repr=False)
    choices: tuple[str, ...] = field(repr=False)
    answer: int
    hint: str = field(repr=False)
    subject: str
    grade: int | None
    picture: Path | None


GROUPS: Final[Mapping[str, tuple[str, Callable[[Problem], bool]]]] = {
    "NAT": ("natural science", lambda it: it.subject == "natural science"),
    "SOC": ("social science", lambda it: it.subject == "social science"),
    "LAN": ("language science", lambda it: it.subject == "language science"),
    "TXT": ("with a text as context", lambda it: bool(it.hint)),
    "IMG": ("with a picture", lambda it: it.picture is not None),
    "NO": ("with neither", lambda it: not it.hint and it.picture is None),
    "G1-6": ("grades 1 to 6", lambda it: it.grade is not None and 1 <= it.grade <= 6),
    "G7-12": ("grades 7 to 12", lambda it: it.grade is not None and 7 <= it.grade <= 12),
    "Avg": ("all", lambda _: True),
}
"""The columns of the paper's table: what each is called, and whether a problem belongs to it."""


class ScienceQA:
    """Implements `Evaluation`."""

    def __init__(self, split: str, problems: Sequence[Problem], left_out: Sequence[str]) -> None:
        self.title = f"ScienceQA {split}"
        self.left_out = left_out
        self._problems = {problem.id: problem for problem in problems}
        self.questions = [_question(problem) for problem in problems]

    def judged(self, question: Question, text: str) -> Json:
        """See `Evaluation.judged`."""
        problem = self._problems[question.id]
        index = picked(text, problem.choices)
        letter = None if index is None else chr(ord("A") + index)
        return {
            "picked": letter,
            "answer": chr(ord("A") + problem.answer),
            "right": index == problem.answer,
        }

    def figures(self, answers: Answers) -> Json:
        """See `Evaluation.figures`: right answers and accuracy in percent, of each group."""
        index = {
            id_: picked(answer.text, self._problems[id_].choices) for id_, answer in answers.items()
        }
        groups = {}
        for group, (_, belongs) in GROUPS.items():
            inside = [it for it in self._problems.values() if it.id in answers and belongs(it)]
            right = sum(index[it.id] == it.answer for it in inside)
            groups[group] = {
                "right": right,
                "of": len(inside),
                "accuracy": percent(right, len(inside)),
            }
        unclear = sum(index[id_] is None and answers[id_].error is None for id_ in answers)
        return {"groups": groups, "no_letter": unclear}

    def table(self, figures: Json) -> list[str]:
        """See `Evaluation.table`."""
        rows = [
            (group, GROUPS[group][0], it["right"], it["of"], it["accuracy"])
            for group, it in figures["groups"].items()
        ]
        lines = table_of(("", "questions", "right", "of", "%"), rows)
        if figures["no_letter"]:
            lines.append(f"{figures['no_letter']} answers name no choice; they count as wrong.")
        return lines


def load(folder: Path, split: str, limit: int | None) -> ScienceQA:
    """Read a split. Raises: CommandFailed: it is not there, or none of it can be asked."""
    root = _root(folder)
    problems, splits = json_in(root / PROBLEMS), json_in(root / SPLITS)
    if not isinstance(problems, dict) or not isinstance(splits, dict):
        raise CommandFailed(f"{root} holds no ScienceQA: its files are of another form.")
    if not isinstance(splits.get(split), list):
        known = ", ".join(sorted(splits))
        raise CommandFailed(f"ScienceQA in {root} has no split '{split}'; it has {known}.")
    sound: list[Problem] = []
    left_out: list[str] = []
    missing = 0
    for id_ in map(str, splits[split][:limit]):
        found = _problem(id_, problems.get(id_), root)
        if isinstance(found, Problem):
            sound.append(found)
        else:
            missing += found == MISSING
            left_out.append(f"{id_}: {found}")
    if missing and not any(problem.picture for problem in sound):
        raise CommandFailed(
            f"None of the {missing} pictures of the split is in {root}: ScienceQA has them in "
            "archives of their own, to be unpacked as test/5/image.png or images/test/5/image.png."
        )
    if not sound:
        raise CommandFailed(f"Nothing in the split '{split}' of {root} can be asked.")
    return ScienceQA(split, sound, left_out)


MISSING: Final = "its picture is not there"


def _root(folder: Path) -> Path:
    """Where problems.json is: the folder itself, or the one in it that the repository has."""
    for root in (folder, folder / "scienceqa", folder / "data" / "scienceqa"):
        if (root / PROBLEMS).is_file() and (root / SPLITS).is_file():
            return root
    raise CommandFailed(f"The folder {folder} has no {PROBLEMS} with a {SPLITS} beside it.")


def _problem(id_: str, raw: Any, root: Path) -> Problem | str:
    """A problem, or why it cannot be asked."""
    if not isinstance(raw, dict):
        return f"{PROBLEMS} does not have it"
    question, choices, answer = raw.get("question"), raw.get("choices"), raw.get("answer")
    if not isinstance(question, str) or not question.strip():
        return "it has no question"
    if not isinstance(choices, list) or not 2 <= len(choices) <= MAX_CHOICES:
        return f"it has not 2 to {MAX_CHOICES} choices"
    if type(answer) is not int or not 0 <= answer < len(choices):
        return "its answer is none of its choices"
    picture: Path | None = None
    if raw.get("image") not in _TRUTHLESS:
        picture = next((it for it in _places(root, id_, raw) if is_there(it)), None)
        if picture is None:
            return MISSING
    hint, grade = raw.get("hint"), _GRADE.fullmatch(str(raw.get("grade")))
    return Problem(
        id=id_,
        question=question.strip(),
        choices=tuple(str(choice) for choice in choices),
        answer=answer,
        hint=hint.strip() if isinstance(hint, str) else "",
        subject=str(raw.get("subject")),
        grade=None if grade is None else int(grade[1]),
        picture=picture,
    )


def _places(root: Path, id_: str, raw: Mapping[str, Any]) -> Iterator[Path]:
    """Where a picture may lie: the archives are unpacked beside the files, or into images/."""
    name = Path(str(raw["image"])).name
    split = Path(str(raw.get("split"))).name
    for folder in (root, root / "images"):
        yield folder / split / id_ / name
        yield folder / id_ / name


def _question(problem: Problem) -> Question:
    pictures = () if problem.picture is None else (problem.picture,)
    text = prompt_of(problem.question, problem.choices, problem.hint)
    return Question(id=problem.id, asked=Asked(text=text, pictures=pictures))
