"""What evaluations read and write: data sets, and answers that a second call goes on with."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.errors import CommandFailed
from bot.evaluation.questions import Answer, Json, Question
from bot.private_files import FILE

MAX_BYTES = 2_000_000_000


def json_in(path: Path) -> Any:
    """Read a JSON file. Raises: CommandFailed."""
    try:
        return json.loads(_text(path))
    except (ValueError, RecursionError) as exc:
        raise CommandFailed(f"{path} is no JSON ({_place(exc)}).") from None


def json_lines(path: Path) -> list[Json]:
    """Read a file with a JSON object in each line; empty lines do not count.

    Raises: CommandFailed: it names the line.
    """
    rows: list[Json] = []
    # Not splitlines(): texts may hold its other line ends, as JSON allows.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise CommandFailed(f"Line {number} of {path} is no JSON ({_place(exc)}).") from None
        if not isinstance(row, dict):
            raise CommandFailed(f"Line {number} of {path} is no JSON object.")
        rows.append(row)
    return rows


def is_there(path: Path) -> bool:
    """Whether a file has this name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # the name is too long, or no name
        return False


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CommandFailed(f"{path} is larger than {MAX_BYTES / 1e9:.0f} GB.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CommandFailed(f"{path} is not UTF-8.") from None
    except OSError as exc:
        raise CommandFailed(f"{path} cannot be read: {exc.strerror}.") from None


def _place(exc: ValueError | RecursionError) -> str:
    if isinstance(exc, json.JSONDecodeError):
        return f"line {exc.lineno}, column {exc.colno}"
    return "a number is too long, or it is nested too deeply"


class AnswersFile:
    """Answers as JSON lines, after a first line that says whose they are.

    Each is written as soon as it is there: what ends the command costs none of them. A line that
    broke off is dropped. Answers that failed are asked again, and so are those to a question that
    has changed since.
    """

    def __init__(self, path: Path, about: Json) -> None:
        """Open it, or begin it. Raises: CommandFailed: it belongs to something else."""
        self.path = path
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, Answer]] = {}
        try:
            end = self._read(about) if path.exists() else 0
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, FILE), "r+b")
            self._file.truncate(end)
            self._file.seek(end)
            if not end:
                self._write(about)
        except OSError as exc:
            raise CommandFailed(f"{path} cannot be written: {exc.strerror}.") from None

    def _read(self, about: Json) -> int:
        """Take what is there. Returns: where the next line goes."""
        if not self.path.is_file():
            raise self._not_ours()
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        lines = data[:end].splitlines()
        if not lines and not data.strip():
            return 0
        try:
            head, *rows = map(json.loads, lines)
        except (ValueError, RecursionError):
            raise self._not_ours() from None
        if not isinstance(head, dict) or "evaluation" not in head:
            raise self._not_ours()
        differing = [name for name in about if head.get(name) != about[name]]
        if differing:
            name = differing[0]
            raise CommandFailed(
                f"{self.path} holds answers of another evaluation ({name}: {head.get(name)}, now "
                f"{about[name]}): name another file with --output."
            )
        for row in rows:
            if isinstance(row, dict) and isinstance(row.get("text"), str):
                self._kept[str(row.get("id"))] = (str(row.get("question")), _answer_in(row))
        return end

    def _not_ours(self) -> CommandFailed:
        return CommandFailed(
            f"{self.path} holds something else than an evaluation's answers: name another file "
            "with --output."
        )

    def kept(self, questions: Sequence[Question]) -> dict[str, Answer]:
        """The answers that are there already, by question."""
        return {
            question.id: self._kept[question.id][1]
            for question in questions
            if self._kept.get(question.id, ("", None))[0] == question.fingerprint
        }

    def add(self, question: Question, answer: Answer, judged: Json) -> None:
        """Write an answer. From any thread. Raises: OSError."""
        row = {"id": question.id, "question": question.fingerprint}
        self._write(row | answer.to_json() | judged)

    def _write(self, row: Mapping[str, Any]) -> None:
        line = f"{json.dumps(row, ensure_ascii=False)}\n".encode("utf-8", "replace")
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _answer_in(row: Json) -> Answer:
    def number(name: str) -> float:
        value = row.get(name)
        return value if isinstance(value, int | float) else 0.0

    return Answer(
        text=row["text"],
        first_token_s=number("first_token_s"),
        total_s=number("total_s"),
        new_tokens=int(number("new_tokens")),
    )
