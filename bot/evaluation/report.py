"""The results of an evaluation, as JSON and as text."""

from __future__ import annotations

from collections import Counter
from statistics import median

from bot.evaluation.questions import Answers, Evaluation, Json

SHOWN = 3
"""Reasons that are written out; the JSON has all of them."""


def document(evaluation: Evaluation, answers: Answers, *, about: Json, seconds: float) -> Json:
    """Return everything that is known. `seconds`: that this call has asked for."""
    errors = Counter(answer.error for answer in answers.values() if answer.error is not None)
    sound = [answer for answer in answers.values() if answer.error is None]
    return {
        **about,
        "questions": len(evaluation.questions),
        "answered": len(sound),
        "failed": errors.total(),
        "failures": dict(errors.most_common()),
        "left_out": list(evaluation.left_out),
        "seconds": round(seconds, 2),
        "first_token_s": round(median(it.first_token_s for it in sound), 4) if sound else None,
        "new_tokens": sum(it.new_tokens for it in sound),
        **evaluation.figures(answers),
    }


def text_of(evaluation: Evaluation, said: Json) -> str:
    """Return a table, with what is to be known about it."""
    lines = [f"{said['model']} on {evaluation.title}", "", *evaluation.table(said), ""]
    lines.append(f"{said['answered']:,} of {said['questions']:,} questions are answered.")
    if said["failed"]:
        lines.append(
            f"Failed, and counted as wrong until another call asks again: {said['failed']:,}"
        )
        lines += [f"  {count:,} × {reason}" for reason, count in _first(said["failures"])]
    if left_out := said["left_out"]:
        lines.append(f"Left out, and not counted: {len(left_out):,}")
        lines += [f"  {reason}" for reason in left_out[:SHOWN]]
        if len(left_out) > SHOWN:
            lines.append("  …")
    return "\n".join(lines)


def _first(failures: dict[str, int]) -> list[tuple[str, int]]:
    return [*failures.items()][:SHOWN]
