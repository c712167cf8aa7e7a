"""Problems drawn for the tests, in ScienceQA's own layout."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

from tests.pictures import encode

SUBJECTS = ("natural science", "social science", "language science")


def problem(number: int, **changes: Any) -> dict[str, Any]:
    """A problem as problems.json has it: every second with a picture, every third with a hint."""
    chance = random.Random(number)  # noqa: S311 - the same problem each time
    choices = [f"choice {number}-{i}" for i in range(chance.randint(2, 5))]
    drawn = {
        "question": f"Question {number}?",
        "choices": choices,
        "answer": chance.randrange(len(choices)),
        "hint": f"Hint {number}." if number % 3 == 0 else "",
        "image": "image.png" if number % 2 == 0 else None,
        "task": "closed choice",
        "grade": f"grade{1 + number % 12}",
        "subject": SUBJECTS[number % 3],
        "topic": "drawn",
        "lecture": "",
        "solution": "",
        "split": "test",
    }
    return drawn | changes


def data_set(folder: Path, problems: dict[str, Any], *, pictures: str = "images/test") -> Path:
    """Write the files, and a picture for every problem that has one."""
    folder.mkdir(exist_ok=True)
    (folder / "problems.json").write_text(json.dumps(problems), encoding="utf-8")
    splits = {"train": [], "test": list(problems)}
    (folder / "pid_splits.json").write_text(json.dumps(splits))
    for id_, drawn in problems.items():
        if isinstance(drawn, dict) and drawn.get("image") == "image.png":
            place = folder / pictures / id_
            place.mkdir(parents=True)
            (place / "image.png").write_bytes(encode(Image.effect_noise((40, 40), 50)))
    return folder
