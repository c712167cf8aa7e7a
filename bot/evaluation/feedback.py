"""Rated answers of chats, as `llava-bot store feedback` writes them, asked again.

What people found good is compared with what is said now; what they found bad should not return.
Nobody says what would have been right, so the words that both answers share stand in for it, and
the file of answers has both to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from bot.errors import CommandFailed
from bot.evaluation.questions import Answers, Asked, Json, Question
from bot.evaluation.scoring import is_same, overlap
from bot.evaluation.tables import table_of
from bot.evaluation.vqa import without_picture

RATINGS: Final = ("good", "mixed", "bad")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What was said, and what people thought of it."""

    rating: str
    answer: str = field(repr=False)


class Feedback:
    """Implements `Evaluation`."""

    def __init__(
        self,
        title: str,
        questions: Sequence[Question],
        rated: Mapping[str, Rated],
        left_out: Sequence[str],
    ) -> None:
        self.title = title
        self.questions = questions
        self.left_out = left_out
        self._rated = rated

    def judged(self, question: Question, text: str) -> Json:
        """See `Evaluation.judged`."""
        rated = self._rated[question.id]
        return {
            "rating": rated.rating,
            "rated": rated.answer,
            "same": is_same(text, [rated.answer]),
            "overlap": round(overlap(text, rated.answer), 3),
        }

    def figures(self, answers: Answers) -> Json:
        """See `Evaluation.figures`: for each rating."""
        return {"ratings": {rating: self._counted(answers, rating) for rating in RATINGS}}

    def _counted(self, answers: Answers, rating: str) -> Json:
        inside = [
            (answers[id_].text, it.answer)
            for id_, it in self._rated.items()
            if id_ in answers and it.rating == rating
        ]
        shared = [overlap(*it) for it in inside]
        return {
            "of": len(inside),
            "same": sum(is_same(now, [then]) for now, then in inside),
            "overlap": round(fmean(shared), 3) if shared else None,
        }

    def table(self, figures: Json) -> list[str]:
        """See `Evaluation.table`."""
        rows = [
            (rating, it["of"], it["same"], it["overlap"])
            for rating, it in figures["ratings"].items()
        ]
        head = ("rated", "answers", "said again", "words shared (F1)")
        return table_of(head, rows)


def is_feedback(rows: Sequence[Json]) -> bool:
    """Whether a file is an export of rated answers."""
    return bool(rows) and all("rating" in row and "before" in row for row in rows)


def load(rows: Sequence[Json], *, title: str, pictures: Path | None, system: str) -> Feedback:
    """Take rated answers. `pictures`: the folder that the export wrote them to.

    Raises: CommandFailed: none of them can be asked.
    """
    questions: list[Question] = []
    rated: dict[str, Rated] = {}
    left_out: list[str] = []
    for number, row in enumerate(rows, start=1):
        id_ = str(row.get("id") or number)
        question = _question(id_, row, pictures, system)
        answer, rating = row.get("answer"), row.get("rating")
        if question is None or rating not in RATINGS or not isinstance(answer, str) or not answer:
            reason = "it is no rated answer"
        elif pictures is None and _has_pictures(question):
            reason = "its pictures are needed"
        else:
            reason = without_picture(
                [path for turn in (*question.before, question.asked) for path in turn.pictures]
            )
        if reason or question is None:
            left_out.append(f"{id_}: {reason}")
            continue
        questions.append(question)
        rated[id_] = Rated(rating=str(rating), answer=str(answer))
    if not questions:
        _refuse(title, left_out, pictures)
    return Feedback(title, questions, rated, left_out)


def _refuse(title: str, left_out: Sequence[str], pictures: Path | None) -> None:
    if pictures is None:
        raise CommandFailed(
            f"{title} names pictures by their digests: export them with `llava-bot store feedback "
            "--output FILE --pictures DIR`, and give the same --pictures here."
        )
    raise CommandFailed(f"Nothing in {title} can be asked ({left_out[0]}).")


def _has_pictures(question: Question) -> bool:
    return any(turn.pictures for turn in (*question.before, question.asked))


def _question(id_: str, row: Json, pictures: Path | None, system: str) -> Question | None:
    """A rated answer's question, with its thread, as its channel had it asked."""
    if not isinstance(row.get("question"), str):
        return None
    settings = row.get("settings")
    own = settings.get("system_prompt") if isinstance(settings, dict) else None
    given = row.get("before")
    before = given if isinstance(given, list) else []
    turns: list[Asked] = []
    waiting: tuple[Path, ...] = ()
    for said in (*before, {**row, "answer": ""}):
        turn = _asked(said if isinstance(said, dict) else {}, pictures, waiting)
        # A question that was refused is not shown; its pictures come with the next one.
        waiting = () if turn.answer else turn.pictures
        turns.append(turn)
    return Question(
        id=id_,
        asked=turns[-1],
        before=tuple(turn for turn in turns[:-1] if turn.answer),
        system=own if isinstance(own, str) else system,
    )


def _asked(said: Mapping[str, Any], pictures: Path | None, waiting: tuple[Path, ...]) -> Asked:
    listed = said.get("pictures") if isinstance(said.get("pictures"), list) else []
    names = [str(it.get("file")) for it in listed or () if isinstance(it, dict)]
    folder = pictures or Path()
    return Asked(
        text=str(said.get("question") or ""),
        pictures=(*waiting, *(folder / Path(name).name for name in names)),
        answer=str(said.get("answer") or ""),
    )
