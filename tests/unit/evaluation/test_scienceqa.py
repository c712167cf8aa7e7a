"""ScienceQA: its layout, with all that can be odd in it, and the paper's groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.errors import CommandFailed
from bot.evaluation.questions import Answer
from bot.evaluation.scienceqa import load
from tests.unit.evaluation.drawn import data_set, problem


@pytest.mark.parametrize("pictures", ["images/test", "test", "images"])
@pytest.mark.parametrize("inside", ["", "scienceqa", "data/scienceqa"])
def test_the_files_are_found_wherever_the_archives_were_unpacked(
    tmp_path: Path, pictures: str, inside: str
) -> None:
    (tmp_path / inside).mkdir(parents=True, exist_ok=True)
    root = data_set(tmp_path / inside, {"2": problem(2)}, pictures=pictures)
    (question,) = load(tmp_path, "test", None).questions
    assert question.asked.pictures == (root / pictures / "2" / "image.png",)


ODD: dict[str, tuple[Callable[[], Any], str]] = {
    "11": (lambda: None, "problems.json does not have it"),
    "12": (lambda: "text", "problems.json does not have it"),
    "13": (lambda: problem(13, question="  "), "it has no question"),
    "14": (lambda: problem(14, image=None, answer=9), "its answer is none of its choices"),
    "15": (lambda: problem(15, answer=-1), "its answer is none of its choices"),
    "16": (lambda: problem(16, image=None, answer="0"), "its answer is none of its choices"),
    "17": (lambda: problem(17, answer=True), "its answer is none of its choices"),
    "18": (lambda: problem(18, image=None, choices=["one"]), "it has not 2 to 26 choices"),
    "19": (lambda: problem(19, choices=None), "it has not 2 to 26 choices"),
    "20": (lambda: problem(20, image="../../image.jpg"), "its picture is not there"),
    "21": (lambda: problem(21, image="x" * 5000), "its picture is not there"),
}


def test_what_cannot_be_asked_is_left_out_with_its_reason(tmp_path: Path) -> None:
    problems = {"2": problem(2)} | {id_: make() for id_, (make, _) in ODD.items()}
    found = load(data_set(tmp_path, problems), "test", None)
    assert [question.id for question in found.questions] == ["2"]
    assert list(found.left_out) == [f"{id_}: {reason}" for id_, (_, reason) in ODD.items()]


def test_what_is_only_odd_is_asked(tmp_path: Path) -> None:
    problems = {
        "1": problem(1, hint=None, grade=None, subject=None, choices=["1", 2], answer=1),
        "3": problem(3, image="", hint="  ", question="Größe \ud83d 大きさ?"),
        "5": problem(5, choices=list("abcde"), answer=4),
    }
    found = load(data_set(tmp_path, problems), "test", None)
    first, second, third = (question.asked for question in found.questions)
    assert "A. 1\nB. 2\n" in first.text
    assert second.text.startswith("Größe \ud83d 大きさ?\n")  # cleaned when it is asked
    assert "E. e\n" in third.text
    answers = {question.id: Answer(text="E") for question in found.questions}
    assert found.figures(answers)["groups"]["Avg"] == {"right": 1, "of": 3, "accuracy": 33.33}


def test_accuracy_is_counted_in_the_groups_of_the_paper(tmp_path: Path) -> None:
    problems = {str(i): problem(i) for i in range(1, 25)}
    found = load(data_set(tmp_path, problems), "test", None)
    wrong = {"1", "2", "3"}
    answers = {
        id_: Answer(text="none of them" if id_ in wrong else "ABCDE"[it["answer"]])
        for id_, it in problems.items()
    }
    groups = found.figures(answers)["groups"]
    counted = {name: (it["right"], it["of"]) for name, it in groups.items()}
    assert counted == {
        "NAT": (7, 8),  # multiples of 3
        "SOC": (7, 8),
        "LAN": (7, 8),
        "TXT": (7, 8),  # multiples of 3
        "IMG": (11, 12),  # even
        "NO": (7, 8),  # neither
        "G1-6": (9, 12),
        "G7-12": (12, 12),
        "Avg": (21, 24),
    }
    assert found.figures(answers)["no_letter"] == 3
    table = found.table(found.figures(answers))
    assert table[-2].split() == ["Avg", "all", "21", "24", "87.50"]


def test_only_what_was_answered_counts_and_a_failure_is_wrong(tmp_path: Path) -> None:
    found = load(data_set(tmp_path, {"1": problem(1), "2": problem(2)}), "test", None)
    groups = found.figures({"1": Answer(error="out of memory")})["groups"]
    assert (groups["Avg"]["right"], groups["Avg"]["of"]) == (0, 1)
    assert groups["IMG"]["accuracy"] is None


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "problems.json").unlink(), r"has no problems\.json"),
        (lambda root: (root / "problems.json").write_text("{"), r"is no JSON \(line 1"),
        (lambda root: (root / "problems.json").write_bytes(b"\xff{}"), "is not UTF-8"),
        (lambda root: (root / "problems.json").write_text("[]"), "of another form"),
        (lambda root: (root / "pid_splits.json").write_text("[" * 99_999), "nested too deeply"),
        (lambda root: (root / "pid_splits.json").write_text('{"val": []}'), "it has val"),
        (lambda root: (root / "images/test/2/image.png").unlink(), "None of the 1 pictures"),
        (lambda root: (root / "problems.json").write_text("{}"), "Nothing in the split 'test'"),
    ],
)
def test_a_folder_that_is_no_data_set_gets_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    root = data_set(tmp_path, {"1": problem(1), "2": problem(2)})
    spoil(root)
    with pytest.raises(CommandFailed, match=sentence):
        load(root, "test", None)


def test_the_first_n_of_a_split_are_asked_in_its_order(tmp_path: Path) -> None:
    root = data_set(tmp_path, {str(i): problem(i) for i in range(1, 6)})
    (root / "pid_splits.json").write_text(json.dumps({"test": [5, 3, 1]}), encoding="utf-8-sig")
    assert [it.id for it in load(root, "test", 2).questions] == ["5", "3"]
