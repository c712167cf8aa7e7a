"""A team's own questions, and rated answers of chats, as lines of JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.errors import CommandFailed
from bot.evaluation import feedback, vqa
from bot.evaluation.files import json_lines
from bot.evaluation.questions import Answer, Json


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    return tmp_path


def own(rows: list[Json], pictures: Path, **changes: Any) -> vqa.OwnQuestions:
    options: dict[str, Any] = {
        "title": "q.jsonl",
        "pictures": pictures,
        "briefly": True,
        "system": "",
    }
    return vqa.load(rows, **(options | changes))


def test_rows_name_pictures_questions_and_answers_also_as_llavas_files_do(pictures: Path) -> None:
    found = own(
        [
            {"picture": "a.png", "question": " What? ", "answer": "cat"},
            {"question_id": 7, "image": ["a.png", "b.png"], "text": "Which?", "answers": ["b", 2]},
            {"id": "c", "question": "And why?", "picture": None},
        ],
        pictures,
    )
    first, second, third = found.questions
    assert (first.id, second.id, third.id) == ("1", "7", "c")
    assert first.asked.text == "What?\nAnswer the question using a single word or phrase."
    assert second.asked.pictures == (pictures / "a.png", pictures / "b.png")
    assert (third.asked.text, third.asked.pictures) == ("And why?", ())
    assert (
        own([{"question": "Q", "answer": "x"}], pictures, briefly=False).questions[0].asked.text
        == "Q"
    )
    assert found.judged(second, "It is 2.") == {"answers": ["b", "2"], "same": False, "named": True}


def test_right_answers_are_counted_by_category(pictures: Path) -> None:
    rows = [
        {"question": "1", "answer": "cat", "category": "動物"},
        {"question": "2", "answer": "dog", "category": "動物"},
        {"question": "3", "answer": "red", "category": "colour"},
        {"question": "4"},
    ]
    found = own(rows, pictures)
    said = {"1": "A cat.", "2": "It is a dog", "3": "blue", "4": "anything"}
    figures = found.figures({id_: Answer(text=text) for id_, text in said.items()})
    counted = {name: (it["same"], it["named"], it["of"]) for name, it in figures["groups"].items()}
    assert counted == {"colour": (0, 0, 1), "動物": (1, 2, 2), "all": (1, 2, 3)}
    assert found.table(figures)[-1] == "1 questions say no answer to compare with."


def test_rows_that_cannot_be_asked_are_left_out_with_their_reasons(pictures: Path) -> None:
    rows: list[Json] = [
        {"question": "fine"},
        {"picture": "a.png"},
        {"question": "x", "picture": "gone.png"},
        {"id": "1", "question": "again"},
    ]
    assert list(own(rows, pictures).left_out) == [
        "2: it has no question",
        "3: there is no picture gone.png",
        "1: its id is an earlier one's",
    ]
    with pytest.raises(CommandFailed, match=r"no question that can be asked \(1: it has no"):
        own([{}], pictures)


def test_lines_may_end_and_be_empty_in_any_way_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('\ufeff{"a": "x\u2028y"}\r\n\n  \n{"b": 1}', encoding="utf-8")
    assert json_lines(path) == [{"a": "x\u2028y"}, {"b": 1}]
    for line, sentence in (("{", "Line 2 of .* is no JSON"), ("[1]", "Line 2 .* no JSON object")):
        path.write_text(f"{{}}\n{line}\n")
        with pytest.raises(CommandFailed, match=sentence):
            json_lines(path)


# -- Rated answers ----------------------------------------------------------------------------


def said(question: str, answer: str, *files: str) -> Json:
    return {"question": question, "answer": answer, "pictures": [{"file": it} for it in files]}


def rated(id_: str, rating: str, *before: Json, **row: Any) -> Json:
    return {"id": id_, "rating": rating, "settings": {}, "before": [*before], **row}


def test_a_rated_answer_is_asked_again_in_its_thread(pictures: Path) -> None:
    row = rated(
        "x",
        "good",
        said("Refused", "", "a.png"),
        said("What?", "A cat."),
        **said("And why?", "Because.", "b.png"),
    ) | {"settings": {"system_prompt": "Be brief."}}
    found = feedback.load([row], title="f", pictures=pictures, system="Other")
    (question,) = found.questions
    assert question.system == "Be brief."
    assert [(it.text, it.answer) for it in question.before] == [("What?", "A cat.")]
    assert question.before[0].pictures == (pictures / "a.png",)  # of the one that was refused
    assert question.asked.text == "And why?"
    assert question.asked.pictures == (pictures / "b.png",)
    assert question.asked.answer == ""
    assert found.judged(question, "because") == {
        "rating": "good", "rated": "Because.", "same": True, "overlap": 1.0,
    }  # fmt: skip


def test_what_was_found_good_and_bad_is_compared_apart(pictures: Path) -> None:
    rows = [
        rated("1", "good", **said("Q", "a cat")),
        rated("2", "good", **said("Q", "a dog and a cat")),
        rated("3", "bad", **said("Q", "a bird")),
    ]
    found = feedback.load(rows, title="f", pictures=pictures, system="")
    figures = found.figures({id_: Answer(text="A cat") for id_ in ("1", "2", "3")})
    assert figures["ratings"] == {
        "good": {"of": 2, "same": 1, "overlap": 0.75},
        "mixed": {"of": 0, "same": 0, "overlap": None},
        "bad": {"of": 1, "same": 0, "overlap": 0.0},
    }
    assert found.table(figures)[1].split() == ["good", "2", "1", "0.75"]


def test_feedback_is_known_by_its_form_and_asks_for_its_pictures(pictures: Path) -> None:
    row = rated("1", "good", **said("Q", "A", "a.png"))
    assert feedback.is_feedback([row])
    assert not feedback.is_feedback([{"question": "Q"}])
    with pytest.raises(CommandFailed, match="--pictures DIR"):
        feedback.load([row], title="f", pictures=None, system="")
    gone = rated("1", "good", **said("Q", "A", "../x.png"))
    with pytest.raises(CommandFailed, match=r"there is no picture x\.png"):
        feedback.load([gone], title="f", pictures=pictures, system="")
