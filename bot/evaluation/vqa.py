"""A team's own questions: a JSON object per line, with a picture, a question and its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.errors import CommandFailed
from bot.evaluation.files import is_there
from bot.evaluation.questions import Answers, Asked, Json, Question
from bot.evaluation.scoring import is_same, names
from bot.evaluation.tables import percent, table_of

BRIEFLY: Final = "Answer the question using a single word or phrase."
"""Source: docs/Evaluation.md of haotian-liu/LLaVA, “Short-answer”."""

_NAMES: Final = {
    "id": ("id", "question_id"),
    "question": ("question", "text"),
    "picture": ("picture", "pictures", "image", "images"),
    "answer": ("answers", "answer"),
}
"""What a row may call each; the second names are those of LLaVA's own files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer should be."""

    answers: tuple[str, ...] = field(repr=False)
    category: str = ""


class OwnQuestions:
    """Implements `Evaluation`."""

    def __init__(
        self,
        title: str,
        questions: Sequence[Question],
        expected: Mapping[str, Expected],
        left_out: Sequence[str],
    ) -> None:
        self.title = title
        self.questions = questions
        self.left_out = left_out
        self._expected = expected

    def judged(self, question: Question, text: str) -> Json:
        """See `Evaluation.judged`."""
        answers = self._expected[question.id].answers
        if not answers:
            return {}
        return {
            "answers": list(answers),
            "same": is_same(text, answers),
            "named": names(text, answers),
        }

    def figures(self, answers: Answers) -> Json:
        """See `Evaluation.figures`: for each category, and for all."""
        categories = sorted({it.category for it in self._expected.values() if it.category})
        groups = [(name, self._counted(answers, name)) for name in categories]
        groups.append(("all", self._counted(answers, None)))
        without = sum(not self._expected[id_].answers for id_ in answers)
        return {"groups": dict(groups), "without_answer": without}

    def _counted(self, answers: Answers, category: str | None) -> Json:
        inside = [
            (answers[id_].text, it.answers)
            for id_, it in self._expected.items()
            if id_ in answers and it.answers and category in {None, it.category}
        ]
        same, named = sum(is_same(*it) for it in inside), sum(names(*it) for it in inside)
        of = len(inside)
        return {
            "same": same,
            "named": named,
            "of": of,
            "accuracy": percent(same, of),
            "named_percent": percent(named, of),
        }

    def table(self, figures: Json) -> list[str]:
        """See `Evaluation.table`."""
        columns = ("same", "accuracy", "named", "named_percent", "of")
        rows = [
            (name, *(it[column] for column in columns)) for name, it in figures["groups"].items()
        ]
        lines = table_of(("questions", "the answer", "%", "named in it", "%", "of"), rows)
        if figures["without_answer"]:
            lines.append(f"{figures['without_answer']} questions say no answer to compare with.")
        return lines


def load(
    rows: Sequence[Json], *, title: str, pictures: Path, briefly: bool, system: str
) -> OwnQuestions:
    """Take a team's questions.

    Args:
        rows: the file's objects.
        title: what reports call the file.
        pictures: the folder that names of pictures begin in.
        briefly: ask for a word or phrase, as LLaVA's authors do.
        system: the system prompt; empty: the model's own.

    Raises: CommandFailed: none of them can be asked.
    """
    questions: list[Question] = []
    expected: dict[str, Expected] = {}
    left_out: list[str] = []
    for number, row in enumerate(rows, start=1):
        given = _of(row, "id")
        id_ = str(number) if given is None else str(given)
        reason = _why_not(row, pictures) or ("its id is an earlier one's" * (id_ in expected))
        if reason:
            left_out.append(f"{id_}: {reason}")
            continue
        text = str(_of(row, "question")).strip()
        answers = tuple(str(it) for it in _listed(_of(row, "answer")))
        if briefly and answers:
            text = f"{text}\n{BRIEFLY}"
        asked = Asked(text=text, pictures=_pictures(row, pictures))
        questions.append(Question(id=id_, asked=asked, system=system))
        category = row.get("category")
        expected[id_] = Expected(
            answers=answers, category="" if category is None else str(category)
        )
    if not questions:
        why = f" ({left_out[0]})" if left_out else ""
        raise CommandFailed(f"{title} has no question that can be asked{why}.")
    return OwnQuestions(title, questions, expected, left_out)


def _of(row: Json, what: str) -> Any:
    return next((row[name] for name in _NAMES[what] if row.get(name) is not None), None)


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _pictures(row: Json, folder: Path) -> tuple[Path, ...]:
    return tuple(folder / str(name) for name in _listed(_of(row, "picture")))


def _why_not(row: Json, folder: Path) -> str:
    """Why a row cannot be asked; empty if it can."""
    question = _of(row, "question")
    if not isinstance(question, str) or not question.strip():
        return "it has no question"
    return without_picture(_pictures(row, folder))


def without_picture(pictures: Sequence[Path]) -> str:
    """Which picture is not there; empty if all are."""
    gone = next((path for path in pictures if not is_there(path)), None)
    return "" if gone is None else f"there is no picture {gone.name}"
