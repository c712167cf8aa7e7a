"""How a line of the log is written: for people, or as JSON for programs that collect logs."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final, Literal

from inference.about import current_question
from inference.failures import Failure

Format = Literal["text", "json"]


class Text(logging.Formatter):
    """For people; the question's id stands at the end of the line's head."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        question = current_question()
        record.about = f" [{question}]" if question else ""
        return super().format(record)


class Json(logging.Formatter):
    """One object per line. An exception is fields: its type, its place, and no words of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}"
            f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        if question := current_question():
            line["question"] = question
        arguments = record.args if isinstance(record.args, tuple) else ()
        failures = [value for value in arguments if isinstance(value, Failure)]
        if failures:
            # The message keeps the first line alone: the rest are fields.
            shown = tuple(one.headline if isinstance(one, Failure) else one for one in arguments)
            line["message"] = str(record.msg) % shown
            headline, *trace = failures[0].splitlines()
            line["failure"] = {
                "type": headline.partition(":")[0],
                "place": failures[0].place,
                "trace": [frame.strip() for frame in trace],
            }
        else:
            line["message"] = record.getMessage()
        return json.dumps(line, ensure_ascii=False)


FORMATTERS: Final[dict[Format, type[logging.Formatter]]] = {"text": Text, "json": Json}
